import Glibc

/// How much noise training put into a sample at each of its timesteps.
///
/// Float32 throughout and rounded where PyTorch rounds, because the tables of a checkpoint were made that
/// way: at late timesteps a table made in Float64 differs by more than a sampler's own error.
struct NoiseSchedule {
  /// Where the betas come from when the configuration does not say.
  struct Defaults {
    var betaStart = 0.0001
    var betaEnd = 0.02
    var schedule = SchedulerConfiguration.BetaSchedule.linear
  }

  /// What a scheduler makes of `rescale_betas_zero_snr`.
  enum ZeroSNR {
    /// It does not know the option.
    case ignored
    /// ᾱ of the last timestep is 0; there is no σ.
    case exact
    /// ᾱ of the last timestep is 2⁻²⁴, so that σ = 4096.
    case floored
  }

  /// ᾱ, the share of the clean sample's variance, by training timestep: falling from about 1.
  let alphasCumprod: [Float]

  init(_ configuration: SchedulerConfiguration, defaults: Defaults = Defaults(), zeroSNR: ZeroSNR) {
    let count = configuration.trainTimesteps
    let start = configuration.betaStart ?? defaults.betaStart
    let end = configuration.betaEnd ?? defaults.betaEnd
    var betas: [Float]
    if let trained = configuration.trainedBetas {
      betas = trained.map { Float($0) }
    } else {
      switch configuration.betaSchedule ?? defaults.schedule {
      case .linear: betas = linspace(Float(start), Float(end), count)
      case .scaledLinear:
        betas = linspace(Float(start.squareRoot()), Float(end.squareRoot()), count).map { $0 * $0 }
      case .squaredCosine: betas = Self.squaredCosine(count)
      }
    }
    let rescale = zeroSNR != .ignored && configuration.rescaleBetasZeroSNR == true
    if rescale { betas = Self.rescaledToZeroSNR(betas) }
    var alphas = Self.cumulativeProduct(of: betas)
    if rescale, zeroSNR == .floored { alphas[count - 1] = 0x1p-24 }
    alphasCumprod = alphas
  }

  /// Noise relative to the clean sample, σ = √((1−ᾱ)/ᾱ), by training timestep: rising.
  var sigmas: [Float] { alphasCumprod.map { ((1 - $0) / $0).squareRoot() } }

  /// ∏(1−β), accumulated in Float64 and stored in Float32 as PyTorch does.
  private static func cumulativeProduct(of betas: [Float]) -> [Float] {
    var product = 1.0
    return betas.map {
      product *= Double(1 - $0)
      return Float(product)
    }
  }

  /// β from ᾱ(t) = cos²(π/2·(t+0.008)/1.008), at most 0.999.
  private static func squaredCosine(_ count: Int) -> [Float] {
    func alphaBar(_ step: Int) -> Double {
      let cosine = cos((Double(step) / Double(count) + 0.008) / 1.008 * .pi / 2)
      return cosine * cosine
    }
    return (0..<count).map { Float(min(1 - alphaBar($0 + 1) / alphaBar($0), 0.999)) }
  }

  /// Shifts √ᾱ so that it ends at 0 and scales it so that it starts where it did (Lin et al., 2023, algorithm 1).
  private static func rescaledToZeroSNR(_ betas: [Float]) -> [Float] {
    let roots = cumulativeProduct(of: betas).map { $0.squareRoot() }
    guard let first = roots.first, let last = roots.last else { return betas }
    let scale = first / (first - last)
    let alphas = roots.map { (($0 - last) * scale) * (($0 - last) * scale) }
    return alphas.indices.map { 1 - ($0 == 0 ? alphas[0] : alphas[$0] / alphas[$0 - 1]) }
  }
}

/// `count` equally spaced numbers from `start` to `end` in Float32: `torch.linspace`, which counts the
/// second half from the end and rounds once a number.
func linspace(_ start: Float, _ end: Float, _ count: Int) -> [Float] {
  guard count > 1 else { return [start] }
  let step = (end - start) / Float(count - 1)
  return (0..<count).map {
    $0 < count / 2 ? start.addingProduct(step, Float($0)) : end.addingProduct(-step, Float(count - 1 - $0))
  }
}

/// `count` equally spaced numbers from `start` to `end` in Float64: `numpy.linspace`.
func linspace(_ start: Double, _ end: Double, _ count: Int) -> [Double] {
  guard count > 1 else { return [start] }
  let step = (end - start) / Double(count - 1)
  return (0..<count).map { $0 == count - 1 ? end : Double($0) * step + start }
}
