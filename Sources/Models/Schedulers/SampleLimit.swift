/// What keeps a predicted clean sample in range: the only part of a sampler that is not linear.
package enum SampleLimit: Sendable, Hashable {
  /// Cuts off at ± a magnitude.
  case clip(Float)
  /// Dynamic thresholding (Saharia et al., 2022, section 2.3): s is the quantile of the magnitudes at
  /// `ratio`, held in 1 ... `maximum`; cuts off at ±s and divides by s.
  case threshold(ratio: Double, maximum: Float)

  /// The values of one picture, limited.
  package func applied(to values: [Float]) -> [Float] {
    switch self {
    case .clip(let magnitude):
      return values.map { min(max($0, -magnitude), magnitude) }
    case .threshold(let ratio, let maximum):
      let magnitudes = values.map(\.magnitude).sorted()
      guard let last = magnitudes.last else { return values }
      let rank = ratio * Double(magnitudes.count - 1)
      let below = magnitudes[Int(rank)]
      let above = Int(rank) + 1 < magnitudes.count ? magnitudes[Int(rank) + 1] : last
      let quantile = below + (above - below) * Float(rank - rank.rounded(.down))
      let bound = min(max(quantile, 1), maximum)
      return values.map { min(max($0, -bound), bound) / bound }
    }
  }
}

extension SchedulerConfiguration {
  /// Dynamic thresholding, when asked for.
  var threshold: SampleLimit? {
    guard thresholding == true else { return nil }
    return .threshold(ratio: dynamicThresholdingRatio ?? 0.995, maximum: Float(sampleMaxValue ?? 1))
  }

  /// Clipping, when asked for or the scheduler's default.
  func clip(byDefault: Bool) -> SampleLimit? {
    clipSample ?? byDefault ? .clip(Float(clipSampleRange ?? 1)) : nil
  }
}
