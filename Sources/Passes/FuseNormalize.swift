public import GraphIR

/// Lets convolutions normalize what they read, so that the normalized image never exists.
///
/// fusedConv([normalize(x, s, γ, β) · w], …) → fusedConv([normalized x · w], s, γ, β, …). A kernel copies the lines that it
/// reads anyway; where none does, lowering takes the normalization off again. A normalized image with another reader
/// stays, and so does one that is resized, or whose γ and β the products behind it have taken (`FoldNormAffine`): these
/// read it where it is.
public struct FuseNormalize: Pass {
  /// `fuse-normalize`.
  public let name = "fuse-normalize"

  /// The pass; it has no settings.
  public init() {}

  /// Node by node, operands first.
  public func run(_ graph: Graph, _ context: inout PassContext) throws(SDError) -> Graph {
    let graph = try graph.pruned()
    let uses = graph.useCounts()
    let copy = GraphCopy(of: graph)
    for id in graph.ids {
      let node = graph[id]
      guard var conv = node.op as? FusedConv else {
        _ = try copy.value(ValueID(id))
        continue
      }
      var images = try copy.values(node.operands)
      var norms: [Value] = []
      for index in conv.sources.indices {
        guard let (norm, operands) = graph.normalization(of: index, node, uses), context.countRewrite()
        else { continue }
        conv.sources[index].normalize = norm
        let shape = images[2 * index].shape
        images[2 * index] = try copy.value(operands[0]).reshaped(shape)
        norms += try copy.values(Array(operands[1...]))
      }
      guard !norms.isEmpty else {
        _ = try copy.value(ValueID(id))
        continue
      }
      images.insert(contentsOf: norms, at: 2 * conv.sources.count)
      copy.replace(id, by: [try copy.builder.add(conv, images, at: node.location)])
    }
    return try copy.finished()
  }

  /// Normalized images are not written.
  public func prediction(for graph: Graph) -> Work? {
    let uses = graph.useCounts()
    return graph.nodes.flatMap { node in
      ((node.op as? FusedConv)?.sources ?? []).indices.compactMap { index in
        graph.normalization(of: index, node, uses).map { _, operands in
          Work(bytes: graph.type(of: operands[0]).byteCount, ops: 1)
        }
      }
    }.total
  }
}

extension Graph {
  /// The normalization that source `index` of a convolution can do itself.
  fileprivate func normalization(of index: Int, _ node: Node, _ uses: [Int]) -> (Normalize, [ValueID])? {
    guard let source = (node.op as? FusedConv)?.sources[index], source.upsample == nil, source.normalize == nil else {
      return nil
    }
    return normalization(node.operands[2 * index], uses)
  }

  /// The normalization that makes a value which nobody else reads, behind a change of shape that keeps samples and
  /// channels.
  fileprivate func normalization(_ id: ValueID, _ uses: [Int]) -> (Normalize, [ValueID])? {
    let node = self[id.node]
    guard uses[id.node.index] == 1 else { return nil }
    if let norm = node.op as? Normalize { return node.operands.count == 4 ? (norm, node.operands) : nil }
    guard keepsSamplesAndChannels(node) else { return nil }
    return normalization(node.operands[0], uses)
  }
}
