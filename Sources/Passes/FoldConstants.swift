public import GraphIR

/// Evaluates what depends on small constants alone: `f(constants) → constant`.
///
/// What depends on parameters is left to `DeriveWeights`.
public struct FoldConstants: Pass {
  /// `fold-constants`.
  public let name = "fold-constants"
  /// Elements up to which a result is stored in the graph.
  public var limit = 1 << 16

  /// The pass with its usual limit.
  public init() {}

  /// Replaces nodes one after the other, operands first, so that whole expressions fold in one run.
  public func run(_ graph: Graph, _ context: inout PassContext) throws(SDError) -> Graph {
    let graph = try graph.pruned()
    let copy = GraphCopy(of: graph)
    for id in graph.ids {
      let node = graph[id]
      let operands = try copy.values(node.operands).compactMap { value in
        copy.builder.graph[value.id.node].op as? Constant
      }
      guard !operands.isEmpty, operands.count == node.operands.count,
        node.types.allSatisfy({ $0.count <= limit }), context.countRewrite()
      else {
        _ = try copy.value(ValueID(id))
        continue
      }
      let tensors = operands.map { Tensor($0.type, $0.values) }
      var results: [Value] = []
      for (tensor, type) in zip(try Interpreter().evaluate(node.op, tensors), node.types) {
        let constant = Constant(type: type, values: tensor.cast(to: type.dtype).values)
        results.append(try copy.builder.add(constant, [], at: node.location))
      }
      copy.replace(id, by: results)
    }
    return try copy.finished()
  }
}
