/// The same elements in the same order under another shape.
///
/// - x: any type. Result: `shape`, which has as many elements (C1).
public struct Reshape: PrimitiveOp {
  /// `sd.reshape`.
  public static let id = OpID("reshape")
  /// The new dimensions.
  public var shape: [Int]

  /// A reshape to these dimensions.
  public init(shape: [Int]) { self.shape = shape }

  /// Elements stay, dimensions change.
  public func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    try expect(operands, count: 1)
    let result = operands[0].with(shape: shape)
    guard shape.allSatisfy({ $0 >= 0 }), result.checked() != nil, result.count == operands[0].count else {
      throw reject("cannot reshape \(operands[0]) to \(shape): the number of elements differs (C1)")
    }
    return [result]
  }

  /// The same elements.
  public func evaluate(_ operands: [Tensor]) throws(SDError) -> [Tensor] {
    [Tensor(operands[0].type.with(shape: shape), operands[0].values)]
  }
}

extension Value {
  /// The same elements in the same order under another shape.
  public func reshaped(_ shape: [Int]) throws(SDError) -> Value {
    shape == self.shape ? self : try applying(Reshape(shape: shape))
  }
}
