import Glibc
internal import GraphIR

extension Scheduler {
  /// Latent consistency sampling (Luo et al., 2023, algorithm 3): each call leads to a clean sample, and all
  /// but the last add noise down to the next timestep.
  static func lcm(_ configuration: SchedulerConfiguration, steps: Int) throws(SDError) -> Scheduler {
    let prediction = try configuration.prediction(of: .lcm)
    let limit = configuration.threshold ?? configuration.clip(byDefault: false)
    let train = configuration.trainTimesteps
    let original = configuration.originalInferenceSteps ?? 50
    guard original <= train else {
      throw SDError(
        .invalid,
        "scheduler lcm: original_inference_steps is \(original); it must be at most num_train_timesteps, \(train)"
      )
    }
    try configuration.checkSteps(steps, in: 1...original, of: .lcm)
    let noise = NoiseSchedule(
      configuration, defaults: .init(betaStart: 0.00085, betaEnd: 0.012, schedule: .scaledLinear),
      zeroSNR: .exact)
    let scaling = configuration.timestepScaling ?? 10

    // A subset of the timesteps that the model was distilled on, evenly picked from the noisiest on.
    let stride = train / original
    let pick = Double(original) / Double(steps)
    let timesteps = (0..<steps).map { (original - Int(Double($0) * pick)) * stride - 1 }
    let levels = timesteps.map { NoiseLevel(alphaCumprod: noise.alphasCumprod[$0]) }

    let rows = timesteps.enumerated().map { index, timestep in
      let last = index + 1 == steps
      var row = ScheduleRow(timestep: Double(timestep), drawsNoise: !last)
      let clean = row.limited(prediction.clean(at: levels[index]), limit, slot: 0)
      // The boundary condition: at timestep 0 the sample itself is the answer. σ of the data is ½.
      let time = Double(timestep) * scaling
      let skip = 0.25 / (time * time + 0.25)
      let denoised = (time / (time * time + 0.25).squareRoot()) * clean + skip * .sample
      row.finish(
        with: last ? denoised : levels[index + 1].alpha * denoised + levels[index + 1].sigma * .noise)
      return row
    }
    return try Scheduler(.lcm, rows)
  }
}
