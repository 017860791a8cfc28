/// The sigmoid linear unit, x · sigmoid(x).
///
/// - x: any shape, floating-point. Result: type of x.
/// - Reference: Elfwing et al. 2017, arXiv:1702.03118; `torch.nn.functional.silu`.
public struct SiLU: CompositeOp {
  /// `sd.silu`.
  public static let id = OpID("silu")

  /// The op; it has no attributes.
  public init() {}

  /// The type of the operand.
  public func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    try expect(operands, count: 1)
    return [try expectFloat(operands, 0)]
  }

  /// x · sigmoid(x).
  public func decompose(_ operands: [Value]) throws(SDError) -> [Value] {
    [try operands[0].multiplied(by: operands[0].sigmoid())]
  }

  /// True.
  public var isRowwise: Bool { true }
}

extension Value {
  /// x · sigmoid(x).
  public func silu() throws(SDError) -> Value { try applying(SiLU()) }
}
