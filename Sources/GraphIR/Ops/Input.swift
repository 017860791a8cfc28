/// How often a value changes while pictures are drawn, from never to every step.
public enum Rate: String, Codable, Hashable, Sendable, CaseIterable, Comparable {
  /// Never: known when the plan is made.
  case constant
  /// Once a prompt.
  case prompt
  /// Once a schedule: for all timesteps at a time.
  case schedule
  /// At every denoising step.
  case step

  /// By frequency of change.
  public static func < (a: Rate, b: Rate) -> Bool { a.ordinal < b.ordinal }

  private var ordinal: Int {
    switch self {
    case .constant: 0
    case .prompt: 1
    case .schedule: 2
    case .step: 3
    }
  }
}

/// A tensor that the caller binds at every run.
///
/// - Result: `type`.
public struct Input: PrimitiveOp {
  /// `sd.input`.
  public static let id = OpID("input")
  /// The name under which the caller binds it.
  public var name: String
  /// Element type and shape.
  public var type: TensorType
  /// How often it changes; `Hoist` moves work to the lowest rate.
  public var rate: Rate

  /// An input of that name, type and rate.
  public init(name: String, type: TensorType, rate: Rate = .step) {
    (self.name, self.type, self.rate) = (name, type, rate)
  }

  /// Takes no operands.
  public func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    try expect(operands, count: 0)
    return [type]
  }

  /// Has no value of its own.
  public func evaluate(_ operands: [Tensor]) throws(SDError) -> [Tensor] {
    throw SDError(.usage, "no tensor for input '\(name)' \(type)")
  }
}

extension GraphBuilder {
  /// A tensor that the caller binds at every run.
  public func input(_ name: String, _ type: TensorType, rate: Rate = .step) throws(SDError) -> Value {
    try add(Input(name: name, type: type, rate: rate), [])
  }
}
