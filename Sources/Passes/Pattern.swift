public import GraphIR

/// A shape of a part of a graph: `.op(SiLU.self, [.op(GroupNorm.self, ["x", "gamma", "beta"], as: "norm")])`.
///
/// A string stands for any value and captures it under that name; a name that occurs twice is the same value twice.
/// The ops below the root of a match would be lost by a rewrite, so nothing outside of the match may use them,
/// unless the pattern says `shared`.
public indirect enum Pattern: Sendable, ExpressibleByStringLiteral {
  /// Any value.
  case any(String)
  /// A value that never changes: a parameter, a constant, or what is computed from these alone.
  case weight(String)
  /// A `Constant`; with `filled`, one whose elements all have that value.
  case constant(String, filled: Float? = nil)
  /// An op; made by `op(_:_:as:shared:where:)`.
  case node(Node)
  /// The first of several patterns that matches.
  case oneOf([Pattern])

  /// An op in a pattern.
  public struct Node: Sendable {
    let type: any Op.Type
    let operands: [Pattern]?
    let name: String?
    let shared: Bool
    let condition: @Sendable (any Op) -> Bool
  }

  /// Any value, captured under a name.
  public init(stringLiteral name: String) { self = .any(name) }

  /// An op whose operands match.
  ///
  /// - Parameters:
  ///   - operands: a pattern for every operand; nil accepts all. Those of `Add` and `Multiply` match in both orders,
  ///     the operand defined later first.
  ///   - name: captures the op and its value.
  ///   - shared: whether values outside of the match may use it.
  ///   - condition: what its attributes must be.
  public static func op<O: Op>(
    _ type: O.Type, _ operands: [Pattern]? = nil, as name: String? = nil, shared: Bool = false,
    where condition: @escaping @Sendable (O) -> Bool = { _ in true }
  ) -> Pattern {
    .node(
      Node(type: type, operands: operands, name: name, shared: shared) { op in
        (op as? O).map(condition) ?? false
      })
  }
}
