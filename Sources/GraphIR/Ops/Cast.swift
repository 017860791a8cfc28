/// Converts to another floating-point type, rounding to nearest, ties to even.
///
/// - x: floating-point. Result: `dtype`, floating-point (C1), shape of x.
public struct Cast: PrimitiveOp {
  /// `sd.cast`.
  public static let id = OpID("cast")
  /// The element type of the result.
  public var dtype: DType

  /// A conversion to an element type.
  public init(dtype: DType) { self.dtype = dtype }

  /// The shape of x with the new element type.
  public func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    try expect(operands, count: 1)
    guard dtype.isFloat else {
      throw reject("converts to floating-point types, not to \(dtype.rawValue) (C1)")
    }
    return [try expectFloat(operands, 0).with(dtype)]
  }

  /// The rounded elements.
  public func evaluate(_ operands: [Tensor]) throws(SDError) -> [Tensor] { [operands[0].cast(to: dtype)] }

  /// True.
  public var isRowwise: Bool { true }
}

extension Value {
  /// The values in another floating-point type; self when it has that type already.
  public func cast(to dtype: DType) throws(SDError) -> Value {
    type.dtype == dtype ? self : try applying(Cast(dtype: dtype))
  }
}
