import GraphIR

/// What encoder and decoder of a variational autoencoder share: its GroupNorms have eps 1e-6, its residual blocks no
/// time embedding.
struct VAELayers {
  let configuration: VAEConfiguration

  /// A residual block of the autoencoder.
  var resnet: ResnetBlock {
    ResnetBlock(groups: configuration.normNumGroups, eps: 1e-6, activation: configuration.activation)
  }

  /// The innermost level on x [B, h, w, C]: residual block, attention, residual block.
  ///
  /// - Modules: resnets.0, attentions.0 (where the configuration has it), resnets.1.
  func mid(_ name: String, _ x: Value) throws(SDError) -> Value {
    let channels = x.type.lastDimension
    return try x.builder.scope(name) { () throws(SDError) in
      var h = try resnet("resnets.0", x, to: channels)
      if configuration.midBlockAddAttention { h = try attention("attentions.0", h) }
      return try resnet("resnets.1", h, to: channels)
    }
  }

  /// Each pixel of x [B, h, w, C] attends to all pixels, in one head of C channels.
  ///
  /// - Modules: group_norm, to_q, to_k, to_v, to_out.0.
  private func attention(_ name: String, _ x: Value) throws(SDError) -> Value {
    let (channels, rows) = (x.shape[3], [x.shape[0], x.shape[1] * x.shape[2], x.shape[3]])
    return try x.builder.scope(name) { () throws(SDError) in
      let normal = try x.groupNorm("group_norm", groups: configuration.normNumGroups, eps: 1e-6)
        .reshaped(rows)
      let q = try normal.linear("to_q", to: channels)
      let k = try normal.linear("to_k", to: channels)
      let v = try normal.linear("to_v", to: channels)
      let attended = try q.attending(to: k, v, heads: 1).linear("to_out.0", to: channels)
      return try attended.reshaped(x.shape).adding(x)
    }
  }

  /// From the channels of the last level to those of the result, behind GroupNorm and SiLU.
  ///
  /// - Modules: conv_norm_out, conv_out.
  func output(_ x: Value, to channels: Int) throws(SDError) -> Value {
    try x.groupNorm("conv_norm_out", groups: configuration.normNumGroups, eps: 1e-6)
      .silu().conv("conv_out", to: channels)
  }
}
