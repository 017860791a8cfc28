/// A tensor of the checkpoint (or one derived from it): name, element type and shape, never the data.
///
/// - Result: `type`.
public struct Parameter: PrimitiveOp {
  /// `sd.parameter`.
  public static let id = OpID("parameter")
  /// The tensor's name, as the checkpoint has it.
  public var name: String
  /// Element type and shape, as the checkpoint has them.
  public var type: TensorType

  /// A parameter of that name and type.
  public init(name: String, type: TensorType) {
    self.name = name
    self.type = type
  }

  /// Takes no operands.
  public func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    try expect(operands, count: 0)
    return [type]
  }

  /// Has no value of its own.
  public func evaluate(_ operands: [Tensor]) throws(SDError) -> [Tensor] {
    try [Interpreter.noParameters(self)]
  }
}

extension GraphBuilder {
  /// A float32 tensor of the checkpoint.
  public func parameter(_ name: String, _ shape: [Int]) throws(SDError) -> Value {
    try add(Parameter(name: name, type: TensorType(.f32, shape)), [])
  }
}
