public import GraphIR

/// The element type of the numbers that a compiled graph stores and multiplies.
public enum Precision: String, Codable, Hashable, Sendable, CaseIterable {
  /// Everything in float32.
  case fp32
  /// Products and activations in bfloat16, sums and statistics in float32.
  case bf16
  /// Products and activations in float16, sums and statistics in float32.
  case fp16

  /// The element type of products and activations.
  public var dtype: DType {
    switch self {
    case .fp32: .f32
    case .bf16: .bf16
    case .fp16: .f16
    }
  }
}
