internal import GraphIR

extension Scheduler {
  /// DDIM (Song et al., 2021, equation 12) with η = 0.
  static func ddim(_ configuration: SchedulerConfiguration, steps: Int) throws(SDError) -> Scheduler {
    let prediction = try configuration.prediction(of: .ddim)
    let limit = configuration.threshold ?? configuration.clip(byDefault: true)
    let table = try AlphaTable(
      NoiseSchedule(configuration, zeroSNR: .exact), finalIsOne: configuration.setAlphaToOne ?? true)
    let stride = configuration.trainTimesteps / steps

    var rows: [ScheduleRow] = []
    for position in configuration.timesteps(steps, spacing: .leading) {
      let timestep = Int(position.rounded(.toNearestOrEven))
      let level = try table[timestep]
      let next = try table[timestep - stride]
      var row = ScheduleRow(timestep: Double(timestep))
      // The noise stays that of the prediction when the clean sample is limited.
      let clean = row.limited(prediction.clean(at: level), limit, slot: 0)
      row.finish(with: next.alpha * clean + next.sigma * prediction.noise(at: level))
      rows.append(row)
    }
    return try Scheduler(.ddim, rows)
  }
}
