public import GraphIR

/// Computes once what is computed twice on a batch whose two halves are the same:
/// `f(concat(x, x)) → concat(f(x), f(x))` for every f that keeps the samples of a batch apart.
///
/// Under guidance a picture goes through the U-Net with and without its prompt; up to the first cross-attention both
/// are the same. The halves are joined again where something reads them that knows the difference.
public struct SharePrefix: Pass {
  /// `share-prefix`.
  public let name = "share-prefix"

  /// The pass; it has no settings.
  public init() {}

  /// Follows the halves from the concatenations on, operands first.
  public func run(_ graph: Graph, _ context: inout PassContext) throws(SDError) -> Graph {
    let graph = try graph.pruned()
    let copy = GraphCopy(of: graph)
    var halves: [NodeID: Half] = [:]
    for id in graph.ids {
      if let half = try SharePrefix.half(of: id, graph, copy, halves), context.countRewrite() {
        halves[id] = half
        copy.replace(id, by: [try copy.builder.at(graph[id].location) { () throws(SDError) in try half.joined() }])
      } else {
        _ = try copy.value(ValueID(id))
      }
    }
    return try copy.finished()
  }

  /// A value of which the whole is two copies, one behind the other along an axis.
  private struct Half {
    var value: Value
    var axis: Int

    func joined() throws(SDError) -> Value { try value.builder.concat([value, value], axis: axis) }
  }

  /// Half of a node's result, computed from the halves of its operands; nil when the halves may differ.
  private static func half(
    of id: NodeID, _ graph: Graph, _ copy: GraphCopy, _ halves: [NodeID: Half]
  ) throws(SDError) -> Half? {
    let node = graph[id]
    guard node.types.count == 1 else { return nil }
    if let concat = node.op as? Concat, node.operands.count == 2, node.operands[0] == node.operands[1] {
      return Half(value: try copy.value(node.operands[0]), axis: concat.axis)
    }
    guard var op = kept(node.op), node.operands.contains(where: { halves[$0.node] != nil }) else { return nil }
    let batch = node.types[0].shape.first ?? 0
    if let reshape = op as? Reshape {
      guard batch % 2 == 0, halves[node.operands[0].node]?.axis == 0, graph.type(of: node.operands[0]).shape[0] == batch
      else { return nil }
      op = Reshape(shape: [batch / 2] + reshape.shape.dropFirst())
    }
    var operands: [Value] = []
    for (index, operand) in node.operands.enumerated() {
      if let half = halves[operand.node] {
        operands.append(half.value)
      } else if isShared(graph.type(of: operand), index, node, graph) {
        operands.append(try copy.value(operand))
      } else {
        return nil
      }
    }
    let axis = op is ChannelStatistics ? 1 : 0
    var shape = node.types[0].shape
    shape[axis] /= 2
    guard let types = try? op.types(of: operands.map(\.type)), types == [node.types[0].with(shape: shape)] else {
      return nil
    }
    return Half(value: try copy.builder.add(op, operands, at: node.location), axis: axis)
  }

  /// The op, when it keeps the samples of a batch apart.
  private static func kept(_ op: any Op) -> (any Op)? {
    switch op {
    case is FusedConv, is Attention, is LayerNorm, is ChannelStatistics, is Normalize, is Reshape, is Cast: op
    case let slice as Slice where slice.axis > 0: op
    case let concat as Concat where concat.axis > 0: op
    case is any UnaryOp, is any BinaryOp: op
    default: nil
    }
  }

  /// Whether an operand without halves is the same for all samples: a weight, or a row for all of them.
  private static func isShared(_ type: TensorType, _ index: Int, _ node: Graph.Node, _ graph: Graph) -> Bool {
    switch node.op {
    case let conv as FusedConv where index >= 2 * conv.sources.count: type.rank < 2 || type.shape[0] == 1
    case is FusedConv: index % 2 == 1
    case is LayerNorm: index > 0
    case is Normalize: index > 1
    case is any BinaryOp: type.rank < node.types[0].rank || type.shape[0] == 1
    default: false
    }
  }
}
