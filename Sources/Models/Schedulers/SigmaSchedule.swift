import Glibc
internal import GraphIR

/// The noise levels that a run passes through, and the timestep that the model is told at each.
struct SigmaSchedule {
  /// Timesteps of the model calls.
  var timesteps: [Double]
  /// σ of each timestep, then the σ that the last step leads to; Float32 values, as the reference keeps them.
  var sigmas: [Double]

  /// σ given for the solvers that walk over σ (Euler, LMS, Heun): those of the run's own timesteps, or
  /// another spacing between their ends. The timesteps keep their fractions.
  init(
    overTimesteps noise: NoiseSchedule, _ configuration: SchedulerConfiguration, steps: Int,
    interpolation: SchedulerConfiguration.Interpolation = .linear,
    final: SchedulerConfiguration.FinalSigmas = .zero, respaced: Bool = true
  ) throws(SDError) {
    let training = noise.sigmas
    let grid = configuration.timesteps(steps, spacing: .linspace).map { Double(Float($0)) }
    timesteps = grid
    switch interpolation {
    case .linear: sigmas = grid.map { training.interpolated(at: $0) }
    case .logLinear:
      let ends = (training[training.count - 1], training[0])
      sigmas = linspace(log(ends.0), log(ends.1), steps + 1).map { Double(exp($0)) }
    }
    if respaced, let spacing = try SigmaSpacing(configuration) {
      let highest = configuration.sigmaMax ?? sigmas[0]
      let lowest = configuration.sigmaMin ?? sigmas[sigmas.count - 1]
      sigmas = spacing.sigmas(from: highest, to: lowest, steps)
      let table = LogSigmas(training)
      timesteps = sigmas.map { Double(Float(table.timestep(of: $0))) }
    }
    sigmas.append(final == .zero ? 0 : Double(training[0]))
    sigmas = sigmas.map { Double(Float($0)) }
  }

  /// σ for the solvers that walk over λ = −log σ (DPM-Solver++, UniPC): another spacing covers the whole
  /// range of training, and timesteps are whole numbers.
  init(
    wholeTimesteps grid: [Double], _ noise: NoiseSchedule, _ configuration: SchedulerConfiguration,
    steps: Int, spacing: SigmaSpacing?, roundsKarras: Bool
  ) {
    let training = noise.sigmas
    var last = Double(training[0])
    if let spacing {
      let highest = configuration.sigmaMax ?? Double(training[training.count - 1])
      let lowest = configuration.sigmaMin ?? Double(training[0])
      sigmas = spacing.sigmas(from: highest, to: lowest, steps)
      let table = LogSigmas(training)
      let rounds = spacing == .lu || (spacing == .karras && roundsKarras)
      timesteps = sigmas.map { table.timestep(of: $0).rounded(rounds ? .toNearestOrEven : .towardZero) }
    } else {
      timesteps = grid
      sigmas = grid.map { training.interpolated(at: $0) }
    }
    if configuration.finalSigmasType ?? .zero == .zero { last = 0 }
    sigmas = (sigmas + [last]).map { Double(Float($0)) }
  }

  /// Standard deviation of the first sample for solvers that walk over σ: with leading spacing the run
  /// starts below the highest σ of training, and the clean sample's share counts as well.
  func initNoiseSigma(_ configuration: SchedulerConfiguration) -> Float {
    let highest = sigmas.max() ?? 0
    return Float(configuration.timestepSpacing == .leading ? (highest * highest + 1).squareRoot() : highest)
  }
}

/// A point of the diffusion as the λ solvers see it: sample = α·clean + σ·noise, α² + σ² = 1.
struct NoiseLevel {
  let alpha: Double
  let sigma: Double
  /// log(α/σ), half the logarithm of the signal-to-noise ratio; +∞ without noise.
  let lambda: Double

  /// From the noise relative to the clean sample.
  init(relativeSigma: Double) {
    alpha = 1 / (relativeSigma * relativeSigma + 1).squareRoot()
    sigma = relativeSigma * alpha
    lambda = -log(relativeSigma)
  }

  /// From ᾱ.
  init(alphaCumprod: Float) {
    alpha = Double(alphaCumprod).squareRoot()
    sigma = (1 - Double(alphaCumprod)).squareRoot()
    lambda = log(alpha / sigma)
  }
}

/// Training's σ on a logarithmic scale, to read timesteps from.
private struct LogSigmas {
  private let logarithms: [Float]

  init(_ sigmas: [Float]) { logarithms = sigmas.map { Float(log(Double($0))) } }

  /// The timestep that has this σ, interpolated in log σ and kept inside training's range.
  func timestep(of sigma: Double) -> Double {
    guard logarithms.count > 1 else { return 0 }
    let target = log(max(sigma, 1e-10))
    var low = 0
    var high = logarithms.count
    while low < high {
      let middle = (low + high) / 2
      if Double(logarithms[middle]) <= target { low = middle + 1 } else { high = middle }
    }
    let index = min(max(low - 1, 0), logarithms.count - 2)
    let (below, above) = (Double(logarithms[index]), Double(logarithms[index + 1]))
    let weight = min(max((below - target) / (below - above), 0), 1)
    return (1 - weight) * Double(index) + weight * Double(index + 1)
  }
}

extension [Float] {
  /// The value between neighbours at a fractional index, the end values outside (`numpy.interp`).
  fileprivate func interpolated(at position: Double) -> Double {
    guard let last, position > 0 else { return Double(first ?? 0) }
    guard position < Double(count - 1) else { return Double(last) }
    let index = Int(position)
    let low = Double(self[index])
    return (Double(self[index + 1]) - low) * (position - Double(index)) + low
  }
}
