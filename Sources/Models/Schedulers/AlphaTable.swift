internal import GraphIR

/// ᾱ by timestep, with a value for the end of the run, behind timestep 0.
struct AlphaTable {
  private let alphas: [Float]
  private let final: Float

  init(_ noise: NoiseSchedule, finalIsOne: Bool) throws(SDError) {
    alphas = noise.alphasCumprod
    final = finalIsOne ? 1 : alphas.first ?? 1
  }

  /// The noise level of a timestep; every negative one is the end of the run.
  ///
  /// - Throws: `usage` for a timestep behind the last one of training, which a large `steps_offset` reaches.
  subscript(timestep: Int) -> NoiseLevel {
    get throws(SDError) {
      guard timestep >= 0 else { return NoiseLevel(alphaCumprod: final) }
      guard timestep < alphas.count else {
        throw SDError(
          .usage,
          "so many steps put one at timestep \(timestep), behind the last one of training, \(alphas.count - 1)",
          hint: "take fewer steps: timestep_spacing leading adds steps_offset to every timestep")
      }
      return NoiseLevel(alphaCumprod: alphas[timestep])
    }
  }
}
