/// An operation on single elements: `y = f(x)`.
///
/// - x: any shape, floating-point. Result: type of x.
public protocol UnaryOp: PrimitiveOp {
  /// An op without attributes.
  init()
  /// f.
  static func apply(_ x: Float) -> Float
}

extension UnaryOp {
  /// The type of the operand.
  public func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    try expect(operands, count: 1)
    return [try expectFloat(operands, 0)]
  }

  /// f of every element.
  public func evaluate(_ operands: [Tensor]) throws(SDError) -> [Tensor] {
    [Tensor(operands[0].shape, operands[0].values.map(Self.apply))]
  }

  /// True.
  public var isRowwise: Bool { true }
}

/// An operation on pairs of elements, with NumPy's broadcasting: `z = f(x, y)`.
///
/// - x, y: floating-point; shapes are aligned at the last dimension, and dimensions are equal or 1 (C1).
///   Result: the broadcast shape, element type of x.
public protocol BinaryOp: PrimitiveOp {
  /// An op without attributes.
  init()
  /// f.
  static func apply(_ x: Float, _ y: Float) -> Float
}

extension BinaryOp {
  /// The broadcast type.
  public func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    try expect(operands, count: 2)
    let x = try expectFloat(operands, 0)
    let y = try expectFloat(operands, 1)
    guard let shape = broadcast(x.shape, y.shape) else {
      throw reject("cannot broadcast \(x) and \(y) (C1)")
    }
    return [x.with(shape: shape)]
  }

  /// f of every pair.
  public func evaluate(_ operands: [Tensor]) throws(SDError) -> [Tensor] {
    let (x, y) = (operands[0], operands[1])
    if x.shape == y.shape { return [Tensor(x.shape, zip(x.values, y.values).map(Self.apply))] }
    guard let shape = broadcast(x.shape, y.shape) else {
      throw reject("cannot broadcast \(x.type) and \(y.type) (C1)")
    }
    var result = Tensor(shape, [Float](repeating: 0, count: shape.reduce(1, *)))
    forEachIndex(of: shape, strides: x.broadcastStrides(to: shape)) { result.values[$0] = x.values[$1] }
    forEachIndex(of: shape, strides: y.broadcastStrides(to: shape)) {
      result.values[$0] = Self.apply(result.values[$0], y.values[$1])
    }
    return [result]
  }
}

/// The common shape of two operands, aligned at the last dimension; nil when a dimension differs and is not 1.
package func broadcast(_ a: [Int], _ b: [Int]) -> [Int]? {
  let rank = max(a.count, b.count)
  var shape = [Int](repeating: 1, count: rank)
  for axis in 0..<rank {
    let x = axis < rank - a.count ? 1 : a[axis - (rank - a.count)]
    let y = axis < rank - b.count ? 1 : b[axis - (rank - b.count)]
    guard x == y || x == 1 || y == 1 else { return nil }
    shape[axis] = x == 1 ? y : x
  }
  return shape
}

extension Tensor {
  /// Strides that repeat this tensor over a broadcast shape.
  func broadcastStrides(to shape: [Int]) -> [Int] {
    let padding = shape.count - type.rank
    let own = strides
    return shape.indices.map { axis in
      axis < padding || self.shape[axis - padding] == 1 ? 0 : own[axis - padding]
    }
  }
}
