/// Reorders dimensions: dimension i of the result is dimension `permutation[i]` of x.
///
/// - x: any type; `permutation` holds each of its axes once (C1).
public struct Transpose: PrimitiveOp {
  /// `sd.transpose`.
  public static let id = OpID("transpose")
  /// For every axis of the result, the axis of x.
  public var permutation: [Int]

  /// A transpose; dimension i of the result is dimension `permutation[i]` of x.
  public init(permutation: [Int]) { self.permutation = permutation }

  /// The permuted shape.
  public func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    try expect(operands, count: 1)
    let x = operands[0]
    guard permutation.sorted() == Array(0..<x.rank) else {
      throw reject("permutation \(permutation) does not name every axis of \(x) once (C1)")
    }
    return [x.with(shape: permutation.map { x.shape[$0] })]
  }

  /// Copies in the new order.
  public func evaluate(_ operands: [Tensor]) throws(SDError) -> [Tensor] {
    let x = operands[0]
    var result = Tensor(x.type.with(shape: permutation.map { x.shape[$0] }), x.values)
    let strides = permutation.map { x.strides[$0] }
    forEachIndex(of: result.shape, strides: strides) { result.values[$0] = x.values[$1] }
    return [result]
  }
}

extension Value {
  /// Reorders dimensions: dimension i of the result is dimension `permutation[i]` of self.
  public func transposed(_ permutation: [Int]) throws(SDError) -> Value {
    try applying(Transpose(permutation: permutation))
  }
}
