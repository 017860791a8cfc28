internal import GraphIR

extension SchedulerConfiguration {
  /// The training timesteps of a run of `steps` steps, noisiest first, whole numbers but for linspace.
  ///
  /// - Parameters:
  ///   - spacing: what the scheduler does when the configuration does not say.
  ///   - end: one behind the last training timestep that the run may use.
  func timesteps(_ steps: Int, spacing: TimestepSpacing, end: Int? = nil) -> [Double] {
    let end = end ?? trainTimesteps
    switch timestepSpacing ?? spacing {
    case .linspace:
      return linspace(0, Double(end - 1), steps).reversed()
    case .leading:
      let stride = end / steps
      return (0..<steps).reversed().map { Double($0 * stride + (stepsOffset ?? 0)) }
    case .trailing:
      // numpy.arange(end, 0, -stride): its second number fixes the stride that the others are made
      // with. For some counts (61 of 1000) it yields one number too many, a timestep of -1.
      let stride = Double(trainTimesteps) / Double(steps)
      let first = Double(end)
      let step = (first - stride) - first
      let count = min(steps, Int((first / stride).rounded(.up)))
      return (0..<count).map { (first + Double($0) * step).rounded(.toNearestOrEven) - 1 }
    }
  }

  /// The same for solvers that end at timestep 0 without calling the model there: one more interval,
  /// and whole numbers always.
  func timestepsAboveZero(_ steps: Int, spacing: TimestepSpacing, end: Int? = nil) -> [Double] {
    let trailing = (timestepSpacing ?? spacing) == .trailing
    let timesteps =
      trailing
      ? timesteps(steps, spacing: spacing, end: end)
      : timesteps(steps + 1, spacing: spacing, end: end).dropLast()
    return timesteps.map { $0.rounded(.toNearestOrEven) }
  }

  /// Checks a number of steps that a user asked for.
  ///
  /// - Throws: `usage` with the allowed range.
  func checkSteps(_ steps: Int, in range: ClosedRange<Int>, of name: SchedulerName) throws(SDError) {
    guard range.contains(steps) else {
      throw SDError(
        .usage,
        "scheduler \(name.rawValue) takes \(range.lowerBound) ... \(range.upperBound) steps, not \(steps)")
    }
  }
}
