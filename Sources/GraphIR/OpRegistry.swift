/// The ops that a reader of graphs knows, by name. A value: ops from outside are added to a copy.
public struct OpRegistry: Sendable {
  private var ops: [String: any Op.Type] = [:]

  /// Exactly the given ops.
  ///
  /// - Throws: `SDError` when two of them have the same name and version.
  public init(_ ops: [any Op.Type]) throws(SDError) {
    for op in ops { try register(op) }
  }

  private init(unchecked ops: [any Op.Type]) {
    for op in ops { self.ops[op.id.description] = op }
  }

  /// Adds an op.
  ///
  /// - Throws: `SDError` when another type already has its name and version (nothing is replaced silently), or when
  ///   the text form cannot hold the name.
  public mutating func register(_ op: any Op.Type) throws(SDError) {
    let name = op.id.description
    guard name.isWord, Verifier.objection(toName: name) == nil else {
      throw SDError(.usage, "'\(name)' cannot name an operation; use letters, digits, '_', '-' and '.'")
    }
    if let known = ops[name], known != op {
      throw SDError(.usage, "operation '\(name)' is defined twice: by \(known) and by \(op)")
    }
    ops[name] = op
  }

  /// The op of that name, as `OpID` prints it.
  public subscript(name: String) -> (any Op.Type)? { ops[name] }

  /// Whether it has this very op under the op's name.
  package func contains(_ op: any Op) -> Bool {
    let type: any Op.Type = Swift.type(of: op)
    return ops[type.id.description].map { $0 == type } ?? false
  }

  /// All names, sorted.
  public var names: [String] { ops.keys.sorted() }

  /// The project's own ops: one entry for every file of `Ops/`.
  public static let standard = OpRegistry(unchecked: [
    // Leaves
    Input.self, Parameter.self, Constant.self, CausalMask.self,
    // Elements
    Add.self, Subtract.self, Multiply.self, Divide.self,
    Exp.self, Sigmoid.self, Rsqrt.self, Erf.self, Sine.self, Cosine.self, Cast.self,
    SiLU.self, GELU.self, QuickGELU.self,
    // Movement
    Reshape.self, Transpose.self, Slice.self, Concat.self, Gather.self, SelectRow.self, UpsampleNearest.self,
    // Reductions and contractions
    Sum.self, Max.self, MatMul.self, Conv2D.self,
    // Layers
    Softmax.self, LayerNorm.self, GroupNorm.self, TimestepEmbedding.self,
    // Made by passes
    Attention.self, ChannelStatistics.self, Normalize.self, FusedConv.self,
    FusedFeedForward.self, FusedConvStatistics.self,
  ])
}
