public import GraphIR

/// Lets convolutions sum up their results for the group normalizations behind them, so that these need not read them once
/// more. Where a device has no kernel that does so, lowering takes the statistics off again.
///
/// statistics(y), y = fusedConv(…) → (y, statistics) = fusedConvStatistics(…). The first reader's statistics are taken; a
/// gate, whose columns are others, keeps them off.
public struct FuseStatistics: Pass {
  /// `fuse-statistics`.
  public let name = "fuse-statistics"

  /// The pass; it has no settings.
  public init() {}

  /// Convolution by convolution.
  public func run(_ graph: Graph, _ context: inout PassContext) throws(SDError) -> Graph {
    let graph = try graph.pruned()
    let readers = FuseStatistics.readers(in: graph)
    let copy = GraphCopy(of: graph)
    for id in graph.ids {
      let node = graph[id]
      guard let conv = node.op as? FusedConv, let reader = readers[id],
        let statistics = graph[reader].op as? ChannelStatistics, context.countRewrite()
      else {
        _ = try copy.value(ValueID(id))
        continue
      }
      let both = FusedConvStatistics(conv: conv, parts: statistics.parts)
      let results = try copy.builder.results(of: both, copy.values(node.operands), at: node.location)
      copy.replace(id, by: [results[0]])
      copy.replace(reader, by: [results[1]])
    }
    return try copy.finished()
  }

  /// The statistics are no op of their own.
  public func prediction(for graph: Graph) -> Work? { Work(ops: FuseStatistics.readers(in: graph).count) }

  /// For every convolution that can sum up its result: the first statistics of it.
  private static func readers(in graph: Graph) -> [NodeID: NodeID] {
    var readers: [NodeID: NodeID] = [:]
    for id in graph.ids {
      guard let statistics = graph[id].op as? ChannelStatistics,
        let (source, conv) = convolution(graph[id].operands[0], in: graph), readers[source] == nil
      else { continue }
      let types = graph[source].operands.map { graph.type(of: $0) }
      let both = try? FusedConvStatistics(conv: conv, parts: statistics.parts).types(of: types)
      if both?[1] == graph.type(of: ValueID(id)) { readers[source] = id }
    }
    return readers
  }

  /// The convolution that a value is, behind changes of shape that keep samples and channels.
  private static func convolution(_ id: ValueID, in graph: Graph) -> (NodeID, FusedConv)? {
    let node = graph[id.node]
    if let conv = node.op as? FusedConv { return (id.node, conv) }
    return graph.keepsSamplesAndChannels(node) ? convolution(node.operands[0], in: graph) : nil
  }
}
