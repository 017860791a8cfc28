import GraphIR

/// A transformer on the pixels of an image (diffusers' `Transformer2DModel`): each pixel attends to all pixels and to
/// the prompt.
///
/// - Modules: norm, proj_in, transformer_blocks.N, proj_out.
struct Transformer2D {
  /// Number of attention heads.
  var heads: Int
  /// Groups of the GroupNorm before the blocks.
  var groups: Int
  /// Whether the projections are linear layers rather than 1×1 convolutions.
  var linearProjection: Bool

  /// The transformer of some layers on x [B, H, W, C] and context [B, T, D], as [B, H, W, C].
  func callAsFunction(_ name: String, _ x: Value, _ context: Value, layers: Int) throws(SDError) -> Value {
    let (channels, rows) = (x.shape[3], [x.shape[0], x.shape[1] * x.shape[2], x.shape[3]])
    return try x.builder.scope(name) { () throws(SDError) in
      var h = try x.groupNorm("norm", groups: groups, eps: 1e-6)
      h =
        linearProjection
        ? try h.reshaped(rows).linear("proj_in", to: channels)
        : try h.conv("proj_in", to: channels, kernel: 1).reshaped(rows)
      for layer in 0..<layers {
        h = try TransformerBlock(heads: heads)("transformer_blocks.\(layer)", h, context)
      }
      h =
        linearProjection
        ? try h.linear("proj_out", to: channels).reshaped(x.shape)
        : try h.reshaped(x.shape).conv("proj_out", to: channels, kernel: 1)
      return try h.adding(x)
    }
  }
}
