/// The approximation of GELU that CLIP was trained with, x · sigmoid(1.702 x).
///
/// - x: any shape, floating-point. Result: type of x.
/// - Reference: Radford et al. 2021, arXiv:2103.00020; `transformers.activations.QuickGELUActivation`.
public struct QuickGELU: CompositeOp {
  /// `sd.quick_gelu`.
  public static let id = OpID("quick_gelu")

  /// The op; it has no attributes.
  public init() {}

  /// The type of the operand.
  public func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    try expect(operands, count: 1)
    return [try expectFloat(operands, 0)]
  }

  /// x · sigmoid(1.702 x).
  public func decompose(_ operands: [Value]) throws(SDError) -> [Value] {
    let x = operands[0]
    return [try x.multiplied(by: x.multiplied(by: x.builder.constant([], [1.702])).sigmoid())]
  }

  /// True.
  public var isRowwise: Bool { true }
}

extension Value {
  /// x · sigmoid(1.702 x).
  public func quickGELU() throws(SDError) -> Value { try applying(QuickGELU()) }
}
