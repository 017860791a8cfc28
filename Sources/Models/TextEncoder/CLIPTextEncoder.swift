package import GraphIR

/// CLIP's text encoder as a graph named `text_encoder`, in plain ops.
///
/// Input: `input_ids` i32 [B, T]. Output: `last_hidden_state` f32 [B, T, D], behind the final LayerNorm.
///
/// - Parameters:
///   - batch: rows (B).
///   - tokens: length of every row (T); all positions of the model unless given.
/// - Throws: `.usage` for sizes that are not positive or more tokens than positions.
/// - Reference: Radford et al. 2021, arXiv:2103.00020; transformers' `CLIPTextModel`.
package func declareTextEncoder(
  _ configuration: TextEncoderConfiguration, batch: Int, tokens: Int? = nil
) throws(SDError) -> Graph {
  let builder = GraphBuilder(name: "text_encoder")
  let tokens = tokens ?? configuration.maxPositionEmbeddings
  try builder.requirePositive(["batch": batch, "tokens": tokens])
  guard tokens <= configuration.maxPositionEmbeddings else {
    throw SDError(
      .usage,
      "text_encoder: \(tokens) tokens, the model has \(configuration.maxPositionEmbeddings) positions")
  }
  let ids = try builder.input("input_ids", TensorType(.i32, [batch, tokens]), rate: .prompt)
  let states = try builder.scope("text_model") { () throws(SDError) in
    try CLIPTextEncoder(configuration: configuration)(ids)
  }
  try builder.output("last_hidden_state", states)
  return builder.graph
}

/// A transformer in which every token sees the tokens before it.
///
/// - Modules: embeddings.token_embedding, embeddings.position_embedding, encoder.layers.N, final_layer_norm.
struct CLIPTextEncoder {
  let configuration: TextEncoderConfiguration

  /// The encoder on ids [B, T], as [B, T, D].
  func callAsFunction(_ ids: Value) throws(SDError) -> Value {
    var x = try embed("embeddings", ids)
    for index in 0..<configuration.numHiddenLayers { x = try layer("encoder.layers.\(index)", x) }
    return try x.layerNorm("final_layer_norm", eps: configuration.layerNormEps)
  }

  /// The rows of the tokens plus the rows of their positions.
  private func embed(_ name: String, _ ids: Value) throws(SDError) -> Value {
    let builder = ids.builder
    return try builder.scope(name) { () throws(SDError) in
      let tokens = try builder.scope("token_embedding") { () throws(SDError) in
        try builder.moduleParameter("weight", [configuration.vocabSize, configuration.hiddenSize]).gather(ids)
      }
      let positions = try builder.scope("position_embedding") { () throws(SDError) in
        try builder.moduleParameter(
          "weight", [configuration.maxPositionEmbeddings, configuration.hiddenSize]
        )
        .sliced(0..<ids.shape[1], axis: 0)
      }
      return try tokens.adding(positions)
    }
  }

  /// Self-attention and a feed-forward network, each behind LayerNorm and added to its input.
  ///
  /// - Modules: layer_norm1, self_attn.{q_proj, k_proj, v_proj, out_proj}, layer_norm2, mlp.{fc1, fc2}.
  private func layer(_ name: String, _ x: Value) throws(SDError) -> Value {
    try x.builder.scope(name) { () throws(SDError) in
      let eps = configuration.layerNormEps
      let attended = try selfAttention("self_attn", x.layerNorm("layer_norm1", eps: eps)).adding(x)
      return try feedForward("mlp", attended.layerNorm("layer_norm2", eps: eps)).adding(attended)
    }
  }

  private func selfAttention(_ name: String, _ x: Value) throws(SDError) -> Value {
    let width = configuration.hiddenSize
    return try x.builder.scope(name) { () throws(SDError) in
      let q = try x.linear("q_proj", to: width)
      let k = try x.linear("k_proj", to: width)
      let v = try x.linear("v_proj", to: width)
      return try q.attending(to: k, v, heads: configuration.numAttentionHeads, causal: true)
        .linear("out_proj", to: width)
    }
  }

  private func feedForward(_ name: String, _ x: Value) throws(SDError) -> Value {
    try x.builder.scope(name) { () throws(SDError) in
      try x.linear("fc1", to: configuration.intermediateSize).activated(configuration.hiddenActivation)
        .linear("fc2", to: configuration.hiddenSize)
    }
  }
}
