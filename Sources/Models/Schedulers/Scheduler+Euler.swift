import Glibc
internal import GraphIR

extension Scheduler {
  /// Euler's method for d sample/dσ (Karras et al., 2022, algorithm 2 without churn).
  static func euler(_ configuration: SchedulerConfiguration, steps: Int) throws(SDError) -> Scheduler {
    let prediction = try configuration.prediction(of: .euler)
    let schedule = try SigmaSchedule(
      overTimesteps: NoiseSchedule(configuration, zeroSNR: .floored), configuration, steps: steps,
      interpolation: configuration.interpolationType ?? .linear,
      final: configuration.finalSigmasType ?? .zero)
    let continuous = configuration.timestepType == .continuous && prediction == .velocity
    let rows = schedule.timesteps.enumerated().map { index, timestep in
      let (sigma, next) = (schedule.sigmas[index], schedule.sigmas[index + 1])
      var row = ScheduleRow(
        timestep: continuous ? Double(Float(0.25 * log(sigma))) : timestep,
        inputScale: 1 / (sigma * sigma + 1).squareRoot())
      row.finish(with: .sample + (next - sigma) * prediction.derivative(atSigma: sigma))
      return row
    }
    return try Scheduler(.euler, rows, initNoiseSigma: schedule.initNoiseSigma(configuration))
  }

  /// Euler's method to a lower σ and fresh noise up to the one aimed at, the last step included.
  static func eulerAncestral(
    _ configuration: SchedulerConfiguration, steps: Int
  ) throws(SDError) -> Scheduler {
    let prediction = try configuration.prediction(of: .eulerAncestral, in: [.epsilon, .velocity])
    let schedule = try SigmaSchedule(
      overTimesteps: NoiseSchedule(configuration, zeroSNR: .floored), configuration, steps: steps,
      respaced: false)
    let rows = schedule.timesteps.enumerated().map { index, timestep in
      let (sigma, next) = (schedule.sigmas[index], schedule.sigmas[index + 1])
      let (variance, nextVariance) = (sigma * sigma, next * next)
      let up = (nextVariance * (variance - nextVariance) / variance).squareRoot()
      let down = (nextVariance - up * up).squareRoot()
      var row = ScheduleRow(
        timestep: timestep, inputScale: 1 / (variance + 1).squareRoot(), drawsNoise: true)
      row.finish(
        with: .sample + (down - sigma) * prediction.derivative(atSigma: sigma) + up * .noise)
      return row
    }
    return try Scheduler(.eulerAncestral, rows, initNoiseSigma: schedule.initNoiseSigma(configuration))
  }
}
