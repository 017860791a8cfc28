internal import GraphIR

extension SchedulerConfiguration {
  /// The prediction type, epsilon unless set.
  ///
  /// - Throws: `incompatible` when the scheduler is not defined for it.
  func prediction(
    of name: SchedulerName, in known: [PredictionType] = PredictionType.allCases
  ) throws(SDError) -> PredictionType {
    let type = predictionType ?? .epsilon
    guard known.contains(type) else {
      throw SDError(
        .incompatible,
        "scheduler \(name.rawValue) is not defined for prediction_type \(type.rawValue), only for "
          + known.map(\.rawValue).joined(separator: " and "))
    }
    return type
  }
}

extension SchedulerConfiguration.PredictionType {
  /// The clean sample that the model's output implies, where sample = α·clean + σ·noise.
  func clean(at level: NoiseLevel) -> LinearForm {
    switch self {
    case .epsilon: (.sample - level.sigma * .output) / level.alpha
    case .velocity: level.alpha * .sample - level.sigma * .output
    case .sample: .output
    }
  }

  /// The noise that the model's output implies, where sample = α·clean + σ·noise.
  func noise(at level: NoiseLevel) -> LinearForm {
    switch self {
    case .epsilon: .output
    case .velocity: level.alpha * .output + level.sigma * .sample
    case .sample: (.sample - level.alpha * .output) / level.sigma
    }
  }

  /// The clean sample that the model's output implies, where sample = clean + σ·noise.
  func clean(atSigma sigma: Double) -> LinearForm {
    let scale = sigma * sigma + 1
    return switch self {
    case .epsilon: .sample - sigma * .output
    case .velocity: .sample / scale - (sigma / scale.squareRoot()) * .output
    case .sample: .output
    }
  }

  /// d sample/dσ = (sample − clean)/σ; of the noise prediction it is the output itself.
  func derivative(atSigma sigma: Double) -> LinearForm {
    self == .epsilon ? .output : (.sample - clean(atSigma: sigma)) / sigma
  }
}
