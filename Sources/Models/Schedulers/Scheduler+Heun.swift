internal import GraphIR

extension Scheduler {
  /// Heun's method for d sample/dσ (Karras et al., 2022, algorithm 1): an Euler step, a second model call at
  /// its end, and the step again with the mean of both derivatives. The last step, to σ = 0, is Euler's.
  static func heun(_ configuration: SchedulerConfiguration, steps: Int) throws(SDError) -> Scheduler {
    let prediction = try configuration.prediction(of: .heun)
    let limit = configuration.clip(byDefault: false)
    let noise = NoiseSchedule(
      configuration, defaults: .init(betaStart: 0.00085, betaEnd: 0.012), zeroSNR: .ignored)
    let schedule = try SigmaSchedule(overTimesteps: noise, configuration, steps: steps)
    let (first, begin, clean) = (0, 1, 2)

    /// A call's row and the derivative that it finds, unlimited in one piece, limited by way of a slot.
    func call(at index: Int) -> (ScheduleRow, LinearForm) {
      let sigma = schedule.sigmas[index]
      var row = ScheduleRow(
        timestep: schedule.timesteps[index], inputScale: 1 / (sigma * sigma + 1).squareRoot())
      guard limit != nil else { return (row, prediction.derivative(atSigma: sigma)) }
      let limited = row.limited(prediction.clean(atSigma: sigma), limit, slot: clean)
      return (row, (.sample - limited) / sigma)
    }

    var rows: [ScheduleRow] = []
    for index in 0..<steps {
      let distance = schedule.sigmas[index + 1] - schedule.sigmas[index]
      var (row, derivative) = call(at: index)
      guard index + 1 < steps else {
        row.finish(with: .sample + distance * derivative)
        rows.append(row)
        break
      }
      let kept = row.keep(derivative, inSlot: first)
      let origin = row.keep(.sample, inSlot: begin)
      row.finish(with: .sample + distance * kept)
      rows.append(row)

      (row, derivative) = call(at: index + 1)
      row.finish(with: origin + (distance / 2) * (kept + derivative))
      rows.append(row)
    }
    return try Scheduler(.heun, rows, initNoiseSigma: schedule.initNoiseSigma(configuration))
  }
}
