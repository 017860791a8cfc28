import Glibc
internal import GraphIR

/// How σ is spread between its highest and its lowest value when it does not follow the timesteps.
enum SigmaSpacing: String {
  /// Equal steps of σ^(1/7) (Karras et al., 2022, equation 5).
  case karras
  /// Equal steps of log σ.
  case exponential
  /// Quantiles of the Beta(0.6, 0.6) distribution (Lee et al., 2024).
  case beta
  /// Equal steps of λ = −log σ (Lu et al., 2022): σ of `exponential`, timesteps rounded instead of cut off.
  case lu

  /// The spacing that a configuration asks for, nil for none.
  ///
  /// - Throws: `invalid` when it asks for several.
  init?(_ configuration: SchedulerConfiguration) throws(SDError) {
    let asked: [SigmaSpacing] =
      (configuration.useKarrasSigmas == true ? [.karras] : [])
      + (configuration.useExponentialSigmas == true ? [.exponential] : [])
      + (configuration.useBetaSigmas == true ? [.beta] : [])
    guard asked.count <= 1 else {
      let keys = asked.map { "use_\($0.rawValue)_sigmas" }.joined(separator: " and ")
      throw SDError(.invalid, "scheduler configuration: \(keys) are both true; at most one may be")
    }
    guard let spacing = asked.first else { return nil }
    self = spacing
  }

  /// `count` values of σ, falling.
  func sigmas(from highest: Double, to lowest: Double, _ count: Int) -> [Double] {
    switch self {
    case .karras:
      let (high, low) = (pow(highest, 1 / 7.0), pow(lowest, 1 / 7.0))
      return linspace(0, 1, count).map { pow(high + $0 * (low - high), 7) }
    case .exponential, .lu:
      return linspace(log(highest), log(lowest), count).map { exp($0) }
    case .beta:
      return linspace(0, 1, count).map { lowest + betaQuantile(1 - $0, 0.6, 0.6) * (highest - lowest) }
    }
  }
}

/// The x below which the Beta(a, b) distribution has the probability `p`, by bisection.
private func betaQuantile(_ p: Double, _ a: Double, _ b: Double) -> Double {
  guard p > 0 else { return 0 }
  guard p < 1 else { return 1 }
  var (low, high) = (0.0, 1.0)
  for _ in 0..<64 {
    let middle = (low + high) / 2
    if betaProbability(middle, a, b) < p { low = middle } else { high = middle }
  }
  return (low + high) / 2
}

/// The regularised incomplete beta function Iₓ(a, b), by its continued fraction evaluated from the far end
/// (Abramowitz and Stegun, 26.5.8; 200 terms are far more than 16 digits take where it is used).
private func betaProbability(_ x: Double, _ a: Double, _ b: Double) -> Double {
  guard x <= (a + 1) / (a + b + 2) else { return 1 - betaProbability(1 - x, b, a) }
  var fraction = 1.0
  for m in (1...100).map(Double.init).reversed() {
    let odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
    let even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
    fraction = 1 + even / (1 + odd / fraction)
  }
  fraction = 1 - (a + b) / (a + 1) * x / fraction
  return pow(x, a) * pow(1 - x, b) / (a * tgamma(a) * tgamma(b) / tgamma(a + b) * fraction)
}
