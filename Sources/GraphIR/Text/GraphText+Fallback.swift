extension GraphText {
  /// What a file keeps for an op that its reader may not know: the decomposition of one call.
  ///
  /// The graph is in float32 and has inputs `0`, `1`, … for the operands and outputs `0`, `1`, … for the results.
  public struct Fallback: Hashable, Codable, Sendable {
    /// The call it stands for, as `call` prints it.
    public var call: String
    /// The text of the graph.
    public var graph: String

    /// The decomposition of a call.
    public init(call: String, graph: String) {
      (self.call, self.graph) = (call, graph)
    }
  }

  /// Names a call by op, attributes and operand types: `lab.example.swiglu(f16[2, 640]) {limit = 7.0}`.
  public static func call(_ op: any Op, _ operands: [TensorType]) -> String {
    call("\(type(of: op).id)", operands, attributes(of: op))
  }

  static func call(_ op: String, _ operands: [TensorType], _ attributes: Attribute) -> String {
    var text = ""
    append(op, operands.map(\.description), attributes, to: &text)
    return text
  }

  /// Fallbacks for all calls in a graph whose ops `base` does not have, in order of first use.
  ///
  /// Decompositions are taken apart until nothing but ops of `base` is left; a call where that ends at an op
  /// with no decomposition gets no fallback.
  ///
  /// - Throws: `SDError` from a decomposition that fails.
  public static func fallbacks(for graph: Graph, base: OpRegistry) throws(SDError) -> [Fallback] {
    var fallbacks: [Fallback] = []
    var seen: Set<String> = []
    for node in graph.nodes where !base.contains(node.op) {
      let operands = node.operands.map { graph.type(of: $0) }
      let call = call(node.op, operands)
      guard seen.insert(call).inserted else { continue }
      if let graph = try decomposition(of: node.op, operands, node.types, base: base) {
        fallbacks.append(Fallback(call: call, graph: print(graph)))
      }
    }
    return fallbacks
  }

  private static func decomposition(
    of op: any Op, _ operands: [TensorType], _ results: [TensorType], base: OpRegistry
  ) throws(SDError) -> Graph? {
    let builder = GraphBuilder(name: "\(type(of: op).id)")
    var arguments: [Value] = []
    for (index, type) in operands.enumerated() {
      arguments.append(try builder.input("\(index)", type.float32))
    }
    guard let values = try builder.expand(op, arguments, resultTypes: results.map(\.float32), into: base)
    else { return nil }
    for (index, value) in values.enumerated() { try builder.output("\(index)", value) }
    return builder.graph
  }
}
