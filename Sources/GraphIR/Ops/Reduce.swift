/// A reduction over some axes, which stay as dimensions of 1.
///
/// - x: floating-point; `axes` are axes of it, each once (C1). Result: type of x with those dimensions 1.
public protocol ReduceOp: PrimitiveOp {
  /// The axes that are reduced.
  var axes: [Int] { get }
  /// The value of no elements.
  static var identity: Double { get }
  /// Takes one more element in.
  static func combine(_ sum: Double, _ x: Double) -> Double
}

extension ReduceOp {
  /// The type with the reduced dimensions 1.
  public func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    try expect(operands, count: 1)
    let x = try expectFloat(operands, 0)
    guard Set(axes).count == axes.count, axes.allSatisfy(x.shape.indices.contains) else {
      throw reject("axes \(axes) are not axes of \(x), each once (C1)")
    }
    return [x.with(shape: x.shape.indices.map { axes.contains($0) ? 1 : x.shape[$0] })]
  }

  /// Reduces in float64, so that the oracle's sums do not depend on their order.
  public func evaluate(_ operands: [Tensor]) throws(SDError) -> [Tensor] {
    let x = operands[0]
    let shape = x.shape.indices.map { axes.contains($0) ? 1 : x.shape[$0] }
    var sums = [Double](repeating: Self.identity, count: shape.reduce(1, *))
    let own = Tensor.strides(of: shape)
    let strides = shape.indices.map { shape[$0] == 1 ? 0 : own[$0] }
    forEachIndex(of: x.shape, strides: strides) { sums[$1] = Self.combine(sums[$1], Double(x.values[$0])) }
    return [Tensor(shape, sums.map { Float($0) })]
  }
}
