public import GraphIR

/// A sampler, ready for one run of a fixed number of steps.
///
///     var scheduler = try Scheduler(.lms, configuration: configuration, steps: 50)
///     var sample = noise.map { $0 * scheduler.initNoiseSigma }
///     for (index, timestep) in scheduler.timesteps.enumerated() {
///       let output = try unet(scheduler.scaleModelInput(sample, at: index), timestep)
///       sample = try scheduler.step(output, at: index, sample: sample) { generator.randn($0) }
///     }
///
/// What diffusers computes step by step is here a table made in advance (`rows`); `step` executes a row
/// of it with Float64 sums. Calls go through the indices in order; index 0 begins a new run.
public struct Scheduler: Sendable {
  /// Which sampler this is.
  public let name: SchedulerName
  /// The table: one row a model call.
  package let rows: [ScheduleRow]
  /// What the first noise, from N(0, 1), is multiplied with to be the first sample.
  public let initNoiseSigma: Float
  /// The vectors kept from call to call.
  private var slots: [[Float]]

  /// A sampler by name, or the one that the configuration is written for.
  ///
  /// - Throws: `usage` for a number of steps that the sampler cannot take (the message has the range),
  ///   `incompatible` for a class or an option that is not supported, `invalid` for options that
  ///   contradict each other or lead to numbers that are not finite.
  public init(
    _ name: SchedulerName? = nil, configuration: SchedulerConfiguration, steps: Int
  ) throws(SDError) {
    var configuration = configuration
    let name = if let name { name } else { try SchedulerName(of: configuration) }
    let train = configuration.trainTimesteps
    try configuration.checkSteps(steps, in: 1...train, of: name)
    switch name {
    case .pndm: self = try .pndm(configuration, steps: steps)
    case .ddim: self = try .ddim(configuration, steps: steps)
    case .lms: self = try .lms(configuration, steps: steps)
    case .euler: self = try .euler(configuration, steps: steps)
    case .eulerAncestral: self = try .eulerAncestral(configuration, steps: steps)
    case .heun: self = try .heun(configuration, steps: steps)
    case .dpmSolver: self = try .dpmSolver(configuration, steps: steps)
    case .dpmSolverKarras:
      configuration.useKarrasSigmas = true
      self = try .dpmSolver(configuration, steps: steps)
    case .unipc: self = try .unipc(configuration, steps: steps)
    case .lcm: self = try .lcm(configuration, steps: steps)
    }
  }

  /// A sampler from its table.
  ///
  /// - Throws: `invalid` when a coefficient is not finite.
  init(_ name: SchedulerName, _ rows: [ScheduleRow], initNoiseSigma: Float = 1) throws(SDError) {
    var slotCount = 0
    for row in rows {
      let coefficients = row.assignments.flatMap(\.form.terms).map(\.coefficient)
      guard ([row.timestep, row.inputScale] + coefficients).allSatisfy(\.isFinite) else {
        throw SDError(
          .invalid,
          "scheduler \(name.rawValue): the configuration leads to a coefficient that is not finite at "
            + "timestep \(row.timestep)",
          hint: "take fewer steps; zero SNR needs a model that predicts velocity")
      }
      for case .slot(let slot) in row.assignments.map(\.target) { slotCount = max(slotCount, slot + 1) }
    }
    self.name = name
    self.rows = rows
    self.initNoiseSigma = initNoiseSigma
    slots = Array(repeating: [], count: slotCount)
  }

  /// Timesteps of the model calls in order, in units of training timesteps; fractions occur.
  public var timesteps: [Double] { rows.map(\.timestep) }

  /// What the model is called with at a call: the sample, in some samplers brought to unit variance.
  public func scaleModelInput(_ sample: [Float], at index: Int) -> [Float] {
    let scale = rows[index].inputScale
    return scale == 1 ? sample : sample.map { Float(Double($0) * scale) }
  }

  /// Makes the next sample from the model's output of one call.
  ///
  /// - Parameters:
  ///   - output: what the model answered, after guidance; one picture's latents, any layout.
  ///   - index: the call, from 0 to `timesteps.count - 1` in order.
  ///   - sample: the sample of this call, before `scaleModelInput`.
  ///   - noise: draws so many numbers from N(0, 1); called exactly when the reference draws.
  /// - Returns: the next sample; after the last call the final latents.
  /// - Throws: what `noise` throws.
  public mutating func step<Failure>(
    _ output: [Float], at index: Int, sample: [Float], noise: (Int) throws(Failure) -> [Float]
  ) throws(Failure) -> [Float] {
    let row = rows[index]
    let drawn = row.drawsNoise ? try noise(sample.count) : []
    var sample = sample
    for assignment in row.assignments {
      var sums = [Double](repeating: 0, count: sample.count)
      for term in assignment.form.terms {
        let values =
          switch term.register {
          case .sample: sample
          case .output: output
          case .noise: drawn
          case .slot(let slot): slots[slot]
          }
        precondition(values.count == sums.count, "sample, output and noise must have the same count")
        for element in sums.indices { sums[element] += term.coefficient * Double(values[element]) }
      }
      let values = sums.map { Float($0) }
      let limited = assignment.limit?.applied(to: values) ?? values
      switch assignment.target {
      case .slot(let slot): slots[slot] = limited
      default: sample = limited
      }
    }
    return sample
  }
}
