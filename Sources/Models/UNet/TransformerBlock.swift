import GraphIR

/// Self-attention, cross-attention and a feed-forward network, each behind LayerNorm and added to its input
/// (diffusers' `BasicTransformerBlock`).
///
/// - Modules: norm1, attn1, norm2, attn2, norm3, ff.
struct TransformerBlock {
  /// Number of attention heads.
  var heads: Int

  /// The block on x [B, S, C] and context [B, T, D], as [B, S, C].
  func callAsFunction(_ name: String, _ x: Value, _ context: Value) throws(SDError) -> Value {
    try x.builder.scope(name) { () throws(SDError) in
      var x = x
      let query = try x.layerNorm("norm1", eps: 1e-5)
      x = try attention("attn1", query, to: query).adding(x)
      x = try attention("attn2", x.layerNorm("norm2", eps: 1e-5), to: context).adding(x)
      return try feedForward("ff", x.layerNorm("norm3", eps: 1e-5)).adding(x)
    }
  }

  /// - Modules: to_q, to_k, to_v without bias, to_out.0.
  private func attention(_ name: String, _ x: Value, to context: Value) throws(SDError) -> Value {
    let channels = x.type.lastDimension
    return try x.builder.scope(name) { () throws(SDError) in
      let q = try x.linear("to_q", to: channels, bias: false)
      let k = try context.linear("to_k", to: channels, bias: false)
      let v = try context.linear("to_v", to: channels, bias: false)
      return try q.attending(to: k, v, heads: heads).linear("to_out.0", to: channels)
    }
  }

  /// GEGLU of four times the width: half of the projection is a value, the other half its gate.
  ///
  /// - Modules: net.0.proj [8C, C], net.2 [C, 4C].
  /// - Reference: Shazeer 2020, arXiv:2002.05202.
  private func feedForward(_ name: String, _ x: Value) throws(SDError) -> Value {
    let channels = x.type.lastDimension
    let inner = 4 * channels
    return try x.builder.scope(name) { () throws(SDError) in
      let projected = try x.linear("net.0.proj", to: 2 * inner)
      let value = try projected.sliced(0..<inner)
      let gate = try projected.sliced(inner..<2 * inner)
      return try value.multiplied(by: gate.gelu()).linear("net.2", to: channels)
    }
  }
}
