public import GraphIR
package import GraphRuntime

/// The architecture of CLIP's text encoder (transformers' `CLIPTextModel`), as `text_encoder/config.json` gives it.
public struct TextEncoderConfiguration: Hashable, Sendable {
  /// Rows of the token embedding.
  public let vocabSize: Int
  /// Rows of the position embedding: the longest prompt in tokens.
  public let maxPositionEmbeddings: Int
  /// Columns of the embeddings and of the result.
  public let hiddenSize: Int
  /// Columns within the feed-forward layers.
  public let intermediateSize: Int
  /// Number of transformer layers.
  public let numHiddenLayers: Int
  /// Number of attention heads.
  public let numAttentionHeads: Int
  /// Between the two feed-forward layers.
  public let hiddenActivation: Activation
  /// Added to the variance in every LayerNorm.
  public let layerNormEps: Double

  /// Reads `text_encoder/config.json`; keys that are absent take the defaults of transformers' class.
  ///
  /// - Throws: `.invalid` for a value of the wrong kind or sizes that do not fit together, `.incompatible` for
  ///   another architecture or activation.
  package init(_ file: JSON.Config) throws(SDError) {
    try file.require("architectures", isOneOf: ["CLIPTextModel"], ["CLIPTextModelWithProjection"])
    try file.require("model_type", isOneOf: "clip_text_model")

    vocabSize = try file.size("vocab_size", default: 49408, in: 1...1 << 20)
    maxPositionEmbeddings = try file.size("max_position_embeddings", default: 77, in: 1...8192)
    hiddenSize = try file.size("hidden_size", default: 512)
    intermediateSize = try file.size("intermediate_size", default: 2048)
    numHiddenLayers = try file.size("num_hidden_layers", default: 12, in: 0...256)
    numAttentionHeads = try file.size("num_attention_heads", default: 8)
    guard hiddenSize % numAttentionHeads == 0 else {
      throw file.invalid(
        "num_attention_heads", "has \(numAttentionHeads) heads, which do not divide \(hiddenSize) channels")
    }
    hiddenActivation = try file.choice(
      "hidden_act", default: "quick_gelu", ["quick_gelu": .quickGELU, "gelu": .gelu, "silu": .silu])
    layerNormEps = try file.positive("layer_norm_eps", default: 1e-5)
  }
}
