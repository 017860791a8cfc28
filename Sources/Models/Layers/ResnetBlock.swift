import GraphIR

/// A residual block (diffusers' `ResnetBlock2D`): two 3×3 convolutions, each behind GroupNorm and an activation,
/// with the time embedding added between them.
///
/// - Modules: norm1, conv1, time_emb_proj (where there is a time embedding), norm2, conv2, conv_shortcut (1×1, where
///   the number of channels changes).
struct ResnetBlock {
  /// Groups of both GroupNorms.
  var groups: Int
  /// Added to the variance in both.
  var eps: Double
  /// Before both convolutions and on the time embedding.
  var activation: Activation
  /// Divisor of the result.
  var scaleFactor = 1.0

  /// The block on x [B, H, W, C] and the time embedding [B or 1, D], as [B, H, W, channels].
  func callAsFunction(
    _ name: String, _ x: Value, _ temb: Value? = nil, to channels: Int
  ) throws(SDError) -> Value {
    try x.builder.scope(name) { () throws(SDError) in
      var h = try x.groupNorm("norm1", groups: groups, eps: eps).activated(activation)
      h = try h.conv("conv1", to: channels)
      if let temb {
        let shift = try temb.activated(activation).linear("time_emb_proj", to: channels)
        h = try h.adding(shift.reshaped([shift.shape[0], 1, 1, channels]))
      }
      h = try h.groupNorm("norm2", groups: groups, eps: eps).activated(activation)
      h = try h.conv("conv2", to: channels)
      let shortcut =
        x.type.lastDimension == channels ? x : try x.conv("conv_shortcut", to: channels, kernel: 1)
      let sum = try h.adding(shortcut)
      guard scaleFactor != 1 else { return sum }
      return try sum.divided(by: x.builder.constant([], [Float(scaleFactor)]))
    }
  }
}
