public import GraphIR

/// Stores activations in 16 bits and multiplies 16-bit operands; sums and statistics stay in
/// float32, and so do scores; probabilities are operands of a product.
///
/// Activations are stored as they come in: inputs that change at every step count as 16 bits, all others as float32,
/// and an op's result is stored as its first operand is. So the residual stream of a step is in 16 bits, that of
/// the text, the time embedding and everything at a lower rate in float32. Inputs and outputs of the graph
/// keep their types, and a convolution reads an input unrounded. What an op does is its row in `policy`.
public struct ChoosePrecision: Pass {
  /// `choose-precision`.
  public let name = "choose-precision"
  /// What is chosen.
  public let precision: Precision

  /// The pass for a precision; it changes nothing for fp32.
  public init(_ precision: Precision) { self.precision = precision }

  /// Rounding to 16 bits is allowed for: a forward's limits.
  public var tolerance: Double {
    switch precision {
    case .fp32: 1e-9
    case .fp16: 1e-5
    case .bf16: 5e-4
    }
  }

  /// What the operands of an op are converted to.
  private enum Policy {
    /// 16 bits; the result is stored as operand 0 was.
    case product
    /// As operand 0 (the first one that is not a weight) is stored.
    case stored
    /// float32.
    case full
  }

  /// The table; ops that are not in it get and give float32.
  private static func policy(_ op: any Op) -> Policy {
    switch op {
    case is FusedConv, is Conv2D, is MatMul, is Attention: .product
    case is Add, is Subtract, is Multiply, is Divide, is SiLU, is GELU, is QuickGELU: .stored
    case is LayerNorm, is GroupNorm, is ChannelStatistics, is Normalize: .stored
    case is Reshape, is Transpose, is Slice, is Concat, is Gather, is SelectRow, is UpsampleNearest: .stored
    default: .full
    }
  }

  /// fusedConv(…) in one type, then cast → fusedConv(…) in the type of the cast.
  private static let casts = [
    Rewrite(
      "cast(fusedConv(…)) → fusedConv(…) of that type", .op(Cast.self, [.op(FusedConv.self, as: "conv")])
    ) { m in
      var conv = try m.op("conv", as: FusedConv.self)
      conv.dtype = m.type.dtype
      return try m.replacing("conv", by: conv, m.operands("conv"))
    }
  ]

  /// Converts node by node, operands first.
  public func run(_ graph: Graph, _ context: inout PassContext) throws(SDError) -> Graph {
    guard precision != .fp32 else { return graph }
    let graph = try graph.pruned()
    let rates = graph.rates()
    let copy = TypedCopy(of: graph, rates: rates)
    for id in graph.ids {
      let node = graph[id]
      if rates[id.index] == .constant || node.operands.isEmpty {
        let isStep = rates[id.index] == .step && node.types.allSatisfy(\.dtype.isFloat)
        try copy.add(id, node.op, node.operands.map { ($0, nil) }, stored: isStep ? precision.dtype : nil)
        continue
      }
      let policy = ChoosePrecision.policy(node.op)
      let stored = copy.stored(node.operands)
      switch policy == .product && !context.countRewrite() ? .full : policy {
      case .product:
        var op = node.op
        var products = node.operands.count
        if var conv = op as? FusedConv {
          products = 2 * conv.sources.count
          conv.dtype = stored
          op = conv
        }
        let operands = node.operands.enumerated().map { index, operand in
          // What comes from outside is read as exactly as it came; it is small.
          let isExact = node.op is FusedConv && copy.isInput(operand)
          return (operand, index < products ? (isExact ? DType.f32 : precision.dtype) : nil)
        }
        try copy.add(id, op, operands, stored: stored)
      case .stored:
        let all = node.op is Concat
        try copy.add(id, node.op, node.operands.enumerated().map { ($1, all || $0 == 0 ? stored : nil) })
      case .full:
        try copy.add(id, node.op, node.operands.map { ($0, .f32) })
      }
    }
    return try Rewriter(ChoosePrecision.casts).run(copy.finished(), &context)
  }
}

/// A copy of a graph whose values can be had in several types.
private final class TypedCopy {
  let source: Graph
  let rates: [Rate]
  let builder: GraphBuilder
  private var versions: [ValueID: [DType: Value]] = [:]
  private var storedTypes: [ValueID: DType] = [:]

  init(of source: Graph, rates: [Rate]) {
    (self.source, self.rates) = (source, rates)
    builder = GraphBuilder(name: source.name)
  }

  /// The type in which the first of these values that is not a weight is stored.
  func stored(_ operands: [ValueID]) -> DType {
    let first = operands.first { rates[$0.node.index] != .constant && source.type(of: $0).dtype.isFloat }
    return (first ?? operands.first).flatMap { storedTypes[$0] } ?? .f32
  }

  /// Whether a value is an input of the graph, moved at most.
  func isInput(_ id: ValueID) -> Bool {
    let node = source[id.node]
    return node.op is Input || (TypedCopy.isMovement(node.op) && node.operands.prefix(1).allSatisfy(isInput))
  }

  private static func isMovement(_ op: any Op) -> Bool {
    op is Reshape || op is Transpose || op is Slice || op is SelectRow || op is Concat
  }

  /// Adds an op that takes the place of a node.
  ///
  /// - Parameters:
  ///   - operands: values of the source, each with the type to which it is converted; nil is as it is stored.
  ///   - stored: the type in which readers find the results; nil is the type that they have.
  func add(
    _ id: NodeID, _ op: any Op, _ operands: [(id: ValueID, dtype: DType?)], stored: DType? = nil
  ) throws(SDError) {
    var values: [Value] = []
    for operand in operands { values.append(try value(operand.id, operand.dtype)) }
    let results = try builder.results(of: op, values, at: source[id].location)
    for (index, result) in results.enumerated() {
      versions[ValueID(id, index)] = [result.type.dtype: result]
      storedTypes[ValueID(id, index)] = stored ?? result.type.dtype
    }
  }

  /// A value in a type. A moved tensor is converted before it moves, so that its source is converted once.
  func value(_ id: ValueID, _ wanted: DType? = nil) throws(SDError) -> Value {
    let type = source.type(of: id)
    let dtype = type.dtype.isFloat ? wanted ?? storedTypes[id] ?? type.dtype : type.dtype
    let known = versions[id] ?? [:]
    if let value = known[dtype] { return value }
    let node = source[id.node]
    let result: Value
    switch node.op {
    case let op where TypedCopy.isMovement(op):
      var operands: [Value] = []
      for operand in node.operands {
        operands.append(try value(operand, operands.isEmpty || op is Concat ? dtype : nil))
      }
      result = try builder.add(node.op, operands, at: node.location)
    default:
      guard let exact = known[.f32] ?? known.values.first else {
        throw SDError(.invalid, "value \(id.node.index) of '\(source.name)' is read before it is defined")
      }
      result = try builder.at(node.location) { () throws(SDError) -> Value in try exact.cast(to: dtype) }
    }
    versions[id, default: [:]][dtype] = result
    return result
  }

  /// The graph with the outputs in the types that they had.
  func finished() throws(SDError) -> Graph {
    for output in source.outputs {
      try builder.output(output.name, try value(output.value, source.type(of: output.value).dtype))
    }
    return try builder.graph.pruned()
  }
}
