/// The elements `start ..< end` along one axis.
///
/// - x: any type. `axis` is one of its axes (C1); 0 ≤ start < end ≤ its dimension (C2).
public struct Slice: PrimitiveOp {
  /// `sd.slice`.
  public static let id = OpID("slice")
  /// The axis that is cut.
  public var axis: Int
  /// First element kept.
  public var start: Int
  /// One behind the last element kept.
  public var end: Int

  /// The elements `start ..< end` along an axis.
  public init(axis: Int, start: Int, end: Int) { (self.axis, self.start, self.end) = (axis, start, end) }

  /// The cut shape.
  public func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    try expect(operands, count: 1)
    let x = operands[0]
    guard x.shape.indices.contains(axis) else { throw reject("axis \(axis) is not an axis of \(x) (C1)") }
    guard 0 <= start, start < end, end <= x.shape[axis] else {
      throw reject("cannot slice \(start) ..< \(end) out of axis \(axis) of \(x) (C2)")
    }
    var shape = x.shape
    shape[axis] = end - start
    return [x.with(shape: shape)]
  }

  /// Copies the elements.
  public func evaluate(_ operands: [Tensor]) throws(SDError) -> [Tensor] {
    let x = operands[0]
    let inner = x.shape[(axis + 1)...].reduce(1, *)
    var shape = x.shape
    shape[axis] = end - start
    var values: [Float] = []
    values.reserveCapacity(shape.reduce(1, *))
    for outer in 0..<x.shape[..<axis].reduce(1, *) {
      let base = outer * x.shape[axis] * inner
      values += x.values[(base + start * inner)..<(base + end * inner)]
    }
    return [Tensor(x.type.with(shape: shape), values)]
  }

  /// Whether rows stay rows: the cut is along the last axis.
  public var isRowwise: Bool { axis > 0 }
}

extension Value {
  /// The elements of a range along one axis; a negative axis counts from the last.
  public func sliced(_ range: Range<Int>, axis: Int = -1) throws(SDError) -> Value {
    let axis = axis < 0 ? type.rank + axis : axis
    if shape.indices.contains(axis), range == 0..<shape[axis] { return self }
    return try applying(Slice(axis: axis, start: range.lowerBound, end: range.upperBound))
  }
}
