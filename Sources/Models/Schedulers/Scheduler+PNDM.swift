internal import GraphIR

extension Scheduler {
  /// PNDM (Liu et al., 2022): linear multistep over the noise predictions, started either by repeating the
  /// first step with the mean of two predictions (`skip_prk_steps`) or by three Runge–Kutta steps.
  static func pndm(_ configuration: SchedulerConfiguration, steps: Int) throws(SDError) -> Scheduler {
    let prediction = try configuration.prediction(of: .pndm, in: [.epsilon, .velocity])
    let start = Start(configuration)
    if start == .rungeKutta {
      try configuration.checkSteps(steps, in: 4...max(4, configuration.trainTimesteps), of: .pndm)
    }
    let table = try AlphaTable(
      NoiseSchedule(configuration, zeroSNR: .ignored), finalIsOne: configuration.setAlphaToOne ?? false)
    let grid = configuration.timesteps(steps, spacing: .leading).map { Int($0.rounded(.toNearestOrEven)) }
    let stride = configuration.trainTimesteps / steps

    /// The transfer of a sample from one timestep to another along a noise estimate (the paper's φ).
    func transfer(
      _ sample: LinearForm, _ output: LinearForm, from timestep: Int, to previous: Int
    ) throws(SDError) -> LinearForm {
      let level = try table[timestep]
      let next = try table[previous]
      let estimate =
        prediction == .velocity ? level.alpha * output + level.sigma * sample : output
      let (a, b) = (level.alpha * level.alpha, next.alpha * next.alpha)
      let divisor = a * next.sigma + (a * level.sigma * level.sigma * b).squareRoot()
      return (b / a).squareRoot() * sample - ((b - a) / divisor) * estimate
    }

    var rows: [ScheduleRow] = []
    var outputs: [LinearForm] = []  // newest last
    let (keptSample, accumulator) = (4, 5)

    if start == .rungeKutta {
      // Each of three intervals is walked by calls at its begin, middle, middle and end.
      let half = stride / 2
      for interval in 0..<3 {
        let begin = grid[interval]
        let end = grid[interval + 1]
        let calls = [begin, end + half, end + half, end]
        for (stage, timestep) in calls.enumerated() {
          var row = ScheduleRow(timestep: Double(timestep))
          let previous = timestep - (stage % 2 == 0 ? half : 0)
          let estimate: LinearForm
          switch stage {
          case 0:
            _ = row.keep(.sample, inSlot: keptSample)
            _ = row.keep(.output / 6, inSlot: accumulator)
            outputs.append(row.keep(.output, inSlot: interval))
            estimate = .output
          case 1, 2:
            _ = row.keep(.slot(accumulator) + .output / 3, inSlot: accumulator)
            estimate = .output
          default:
            estimate = .slot(accumulator) + .output / 6
          }
          row.finish(with: try transfer(.slot(keptSample), estimate, from: begin, to: previous))
          rows.append(row)
        }
      }
    }

    let multistep = start == .rungeKutta ? grid[3...] : grid.prefix(2) + grid.dropFirst()
    for (call, timestep) in multistep.enumerated() {
      var row = ScheduleRow(timestep: Double(timestep))
      if start == .repeated, call == 1 {
        // The first step once more, now with the mean of the predictions at both of its ends.
        row.finish(
          with: try transfer(
            .slot(keptSample), (.output + outputs[0]) / 2, from: timestep + stride, to: timestep))
        rows.append(row)
        continue
      }
      if start == .repeated, call == 0 { _ = row.keep(.sample, inSlot: keptSample) }
      let slot = start == .repeated ? max(call - 1, 0) % 4 : (call + 3) % 4
      outputs = outputs.suffix(3) + [row.keep(.output, inSlot: slot)]
      row.finish(
        with: try transfer(.sample, Self.adamsBashforth(outputs), from: timestep, to: timestep - stride))
      rows.append(row)
    }
    return try Scheduler(.pndm, rows)
  }

  /// How the history of a multistep method comes about.
  private enum Start {
    case rungeKutta, repeated

    init(_ configuration: SchedulerConfiguration) {
      self = configuration.skipPRKSteps == true ? .repeated : .rungeKutta
    }
  }

  /// The Adams–Bashforth estimate from up to four outputs, newest last.
  private static func adamsBashforth(_ outputs: [LinearForm]) -> LinearForm {
    let weights: [[Double]] = [[1], [3, -1], [23, -16, 5], [55, -59, 37, -9]]
    let divisors: [Double] = [1, 2, 12, 24]
    let order = outputs.count - 1
    return zip(weights[order], outputs.reversed()).reduce(.zero) { $0 + $1.0 * $1.1 } / divisors[order]
  }
}
