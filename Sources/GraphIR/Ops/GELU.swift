/// The Gaussian error linear unit in its exact form, x · (1 + erf(x / √2)) / 2.
///
/// - x: any shape, floating-point. Result: type of x.
/// - Reference: Hendrycks & Gimpel 2016, arXiv:1606.08415; `torch.nn.functional.gelu`.
public struct GELU: CompositeOp {
  /// `sd.gelu`.
  public static let id = OpID("gelu")

  /// The op; it has no attributes.
  public init() {}

  /// The type of the operand.
  public func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    try expect(operands, count: 1)
    return [try expectFloat(operands, 0)]
  }

  /// x · (1 + erf(x / √2)) / 2.
  public func decompose(_ operands: [Value]) throws(SDError) -> [Value] {
    let x = operands[0]
    let erf = try x.multiplied(by: x.builder.constant([], [Float(0.5).squareRoot()])).erf()
    let half = try x.multiplied(by: x.builder.constant([], [0.5]))
    return [try half.adding(half.multiplied(by: erf))]
  }

  /// True.
  public var isRowwise: Bool { true }
}

extension Value {
  /// x · (1 + erf(x / √2)) / 2.
  public func gelu() throws(SDError) -> Value { try applying(GELU()) }
}
