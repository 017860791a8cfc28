import GraphIR

extension Value {
  /// The embedding [R, D] of these timesteps [R]: sinusoids through two linear layers.
  ///
  /// - Modules: time_embedding.linear_1, time_embedding.linear_2.
  /// - Reference: diffusers' `Timesteps` and `TimestepEmbedding`.
  func timeEmbedding(_ configuration: UNetConfiguration) throws(SDError) -> Value {
    let channels = configuration.downBlocks[0].channels
    let width = configuration.timeEmbedDim
    return try builder.scope("time_embedding") { () throws(SDError) in
      try timestepEmbedding(
        channels, flipSinToCos: configuration.flipSinToCos, shift: Float(configuration.freqShift)
      )
      .linear("linear_1", to: width).activated(configuration.activation).linear("linear_2", to: width)
    }
  }
}
