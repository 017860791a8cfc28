/// Joins tensors along one axis, in the order of the operands.
///
/// - operands: one or more of the same element type (C1) and of the same shape but for `axis` (C2).
public struct Concat: PrimitiveOp {
  /// `sd.concat`.
  public static let id = OpID("concat")
  /// The axis along which they are joined.
  public var axis: Int

  /// A join along an axis.
  public init(axis: Int) { self.axis = axis }

  /// The joined shape.
  public func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    guard let first = operands.first else { throw reject("takes one operand or more, it has 0") }
    guard first.shape.indices.contains(axis) else { throw reject("axis \(axis) is not an axis of \(first)") }
    var shape = first.shape
    shape[axis] = 0
    for type in operands {
      guard type.dtype == first.dtype else { throw reject("cannot join \(first) and \(type) (C1)") }
      var rest = type.shape
      guard rest.indices.contains(axis) else { throw reject("cannot join \(first) and \(type) (C2)") }
      shape[axis] += rest[axis]
      rest[axis] = first.shape[axis]
      guard rest == first.shape else {
        throw reject("cannot join \(first) and \(type) along axis \(axis) (C2)")
      }
    }
    return [first.with(shape: shape)]
  }

  /// Copies the elements.
  public func evaluate(_ operands: [Tensor]) throws(SDError) -> [Tensor] {
    let type = try types(of: operands.map(\.type))[0]
    let inner = type.shape[(axis + 1)...].reduce(1, *)
    var values: [Float] = []
    values.reserveCapacity(type.count)
    for outer in 0..<type.shape[..<axis].reduce(1, *) {
      for x in operands {
        let length = x.shape[axis] * inner
        values += x.values[(outer * length)..<((outer + 1) * length)]
      }
    }
    return [Tensor(type, values)]
  }
}

extension GraphBuilder {
  /// Joins tensors along one axis; a negative axis counts from the last. One tensor is returned as it is.
  public func concat(_ values: [Value], axis: Int) throws(SDError) -> Value {
    guard let first = values.first, values.count > 1 else { return try add(Concat(axis: axis), values) }
    return try add(Concat(axis: axis < 0 ? first.type.rank + axis : axis), values)
  }
}
