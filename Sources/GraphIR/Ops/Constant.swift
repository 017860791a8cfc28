/// A small tensor that is part of the graph itself: a scale, a table of frequencies.
///
/// - Result: `type`; `values` has that many elements (C1).
public struct Constant: PrimitiveOp {
  /// `sd.constant`.
  public static let id = OpID("constant")
  /// Element type and shape.
  public var type: TensorType
  /// The elements, last dimension fastest.
  public var values: [Float]

  /// A constant tensor.
  public init(type: TensorType, values: [Float]) {
    self.type = type
    self.values = values
  }

  /// Whether types and bit patterns are the same: 0 and −0 are two constants, NaN is one.
  public static func == (a: Constant, b: Constant) -> Bool { a.type == b.type && a.bits == b.bits }

  /// Hashes type and bit patterns.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(type)
    hasher.combine(bits)
  }

  private var bits: [UInt32] { values.map { $0.isNaN ? Float.nan.bitPattern : $0.bitPattern } }

  /// Takes no operands.
  public func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    try expect(operands, count: 0)
    guard let type = type.checked(), type.count == values.count else {
      throw reject("\(type) needs another number of values than the \(values.count) it has (C1)")
    }
    return [type]
  }

  /// The values.
  public func evaluate(_ operands: [Tensor]) throws(SDError) -> [Tensor] { [Tensor(type, values)] }
}

extension GraphBuilder {
  /// A constant float32 tensor.
  public func constant(_ shape: [Int], _ values: [Float]) throws(SDError) -> Value {
    try add(Constant(type: TensorType(.f32, shape), values: values), [])
  }
}
