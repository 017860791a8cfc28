/// The mask that lets position i see positions 0 … i: 0 there, −∞ elsewhere; added to attention scores.
///
/// - Result: float32 `[size, size]`.
public struct CausalMask: PrimitiveOp {
  /// `sd.causal_mask`.
  public static let id = OpID("causal_mask")
  /// Number of positions.
  public var size: Int

  /// The mask of that many positions.
  public init(size: Int) { self.size = size }

  /// Takes no operands.
  public func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    try expect(operands, count: 0)
    guard size >= 1 else { throw reject("size must be at least 1, it is \(size)") }
    return [TensorType(.f32, [size, size])]
  }

  /// The mask.
  public func evaluate(_ operands: [Tensor]) throws(SDError) -> [Tensor] {
    [Tensor([size, size], (0..<size * size).map { $0 % size <= $0 / size ? 0 : -.infinity })]
  }
}

extension GraphBuilder {
  /// The mask `[size, size]` that hides later positions.
  public func causalMask(_ size: Int) throws(SDError) -> Value { try add(CausalMask(size: size), []) }
}
