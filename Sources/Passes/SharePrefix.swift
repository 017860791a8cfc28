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

  /// Computes half of every node whose result is two copies, and joins it where something else reads it.
  public func run(_ graph: Graph, _ context: inout PassContext) throws(SDError) -> Graph {
    let graph = try graph.pruned()
    let axes = SharePrefix.axes(in: graph)
    let copy = GraphCopy(of: graph)
    var halves: [NodeID: Value] = [:]
    for id in graph.ids {
      guard let axis = axes[id], context.countRewrite() else {
        _ = try copy.value(ValueID(id))
        continue
      }
      let node = graph[id]
      var operands: [Value] = []
      for operand in node.operands {
        if let half = halves[operand.node] { operands.append(half) } else { operands.append(try copy.value(operand)) }
      }
      var half = operands[0]
      if !SharePrefix.isPair(node) {
        half = try copy.builder.add(SharePrefix.half(of: node), operands, at: node.location)
      }
      halves[id] = half
      let joined = try copy.builder.add(Concat(axis: axis), [half, half], at: node.location)
      copy.replace(id, by: [joined])
    }
    return try copy.finished()
  }

  /// Half of what is computed twice, but for joining what others read.
  public func prediction(for graph: Graph) -> Work? {
    let (axes, rates) = (SharePrefix.axes(in: graph), graph.rates())
    let isShared = graph.allReaders { reader, _, _ in axes[reader] != nil }
    return zip(graph.ids, graph.costs()).map { id, cost in
      guard axes[id] != nil, rates[id.index] > .constant else { return Work() }
      let saved =
        SharePrefix.isPair(graph[id]) ? cost : Work(flops: cost.flops / 2, bytes: cost.bytes / 2)
      return isShared[id.index] ? saved : saved - Work(bytes: graph.type(of: ValueID(id)).byteCount, ops: 1)
    }.total
  }

  /// For every node whose result is two copies, one behind the other: the axis along which they lie.
  private static func axes(in graph: Graph) -> [NodeID: Int] {
    var axes: [NodeID: Int] = [:]
    for id in graph.ids {
      let node = graph[id]
      guard node.types.count == 1 else { continue }
      if isPair(node) {
        axes[id] = (node.op as? Concat)?.axis
      } else if let types = operandTypes(of: node, graph, axes) {
        let axis = node.op is ChannelStatistics ? 1 : 0
        if (try? half(of: node).types(of: types)) == [node.types[0].half(axis)] { axes[id] = axis }
      }
    }
    return axes
  }

  /// concat(x, x).
  private static func isPair(_ node: Graph.Node) -> Bool {
    node.op is Concat && node.operands.count == 2 && node.operands[0] == node.operands[1]
  }

  /// The types of a node's operands when half of it is computed; nil when its halves may differ.
  private static func operandTypes(
    of node: Graph.Node, _ graph: Graph, _ axes: [NodeID: Int]
  ) -> [TensorType]? {
    guard keepsSamplesApart(node.op), node.operands.contains(where: { axes[$0.node] != nil }) else { return nil }
    if node.op is Reshape {
      let type = graph.type(of: node.operands[0])
      guard axes[node.operands[0].node] == 0, type.shape[0] == node.types[0].shape.first else { return nil }
    }
    var types: [TensorType] = []
    for (index, operand) in node.operands.enumerated() {
      let type = graph.type(of: operand)
      if let axis = axes[operand.node] {
        types.append(type.half(axis))
      } else if isShared(type, index, node, graph) {
        types.append(type)
      } else {
        return nil
      }
    }
    return types
  }

  /// The op that computes the half.
  private static func half(of node: Graph.Node) -> any Op {
    node.op is Reshape ? Reshape(shape: node.types[0].half(0).shape) : node.op
  }

  /// Whether an op keeps the samples of a batch apart.
  private static func keepsSamplesApart(_ op: any Op) -> Bool {
    switch op {
    case is FusedConv, is Attention, is LayerNorm, is ChannelStatistics, is Normalize, is Reshape, is Cast: true
    case let slice as Slice: slice.axis > 0
    case let concat as Concat: concat.axis > 0
    case is any UnaryOp, is any BinaryOp: true
    default: false
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

extension TensorType {
  /// The type of the first of two equal parts along an axis.
  fileprivate func half(_ axis: Int) -> TensorType {
    var shape = shape
    if shape.indices.contains(axis) { shape[axis] /= 2 }
    return with(shape: shape)
  }
}
