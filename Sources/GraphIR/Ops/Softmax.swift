/// Exponentials normalized to sum to one over the last dimension.
///
/// - x: floating-point, rank ≥ 1. Result: type of x.
/// - Reference: `torch.nn.functional.softmax(dim=-1)`.
public struct Softmax: CompositeOp {
  /// `sd.softmax`.
  public static let id = OpID("softmax")

  /// The op; it has no attributes.
  public init() {}

  /// The type of the operand.
  public func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    try expect(operands, count: 1)
    return [try expectFloat(operands, 0, rank: 1...8)]
  }

  /// exp(x − max x) / Σ exp(x − max x).
  public func decompose(_ operands: [Value]) throws(SDError) -> [Value] {
    let last = [operands[0].type.rank - 1]
    let exp = try operands[0].subtracting(operands[0].max(axes: last)).exp()
    return [try exp.divided(by: exp.sum(axes: last))]
  }
}

extension Value {
  /// Exponentials normalized to sum to one over the last dimension.
  public func softmax() throws(SDError) -> Value { try applying(Softmax()) }
}
