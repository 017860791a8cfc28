public import GraphIR

/// Lets group normalizations and convolutions read the channels of several tensors, so that their concatenation, a skip
/// connection's, never exists.
public struct SplitConcat: RewritingPass {
  /// `split-concat`.
  public let name = "split-concat"

  /// The pass; it has no settings.
  public init() {}

  /// f(concat(a, b)) → concat(f(a), f(b)), and a convolution of a concatenation → a sum of convolutions.
  public var rules: [Rewrite] {
    [
      Rewrite(
        "channelStatistics(concat(a, b)) → concat(channelStatistics(a), channelStatistics(b))",
        .op(ChannelStatistics.self, [.op(Concat.self, as: "concat", shared: true)], as: "statistics")
      ) { m in
        guard let parts = try m.channels("concat") else { return nil }
        var statistics: [Value] = []
        for part in parts {
          statistics.append(try m.replacing("statistics", by: m.op("statistics", as: ChannelStatistics.self), [part]))
        }
        return try m.builder.concat(statistics, axis: 2)
      },
      Rewrite(
        "normalize(concat(a, b), s, γ, β) → concat(normalize(a, s, γ[a], β[a]), normalize(b, s, γ[b], β[b]))",
        .op(Normalize.self, [.op(Concat.self, as: "concat", shared: true), "s", "gamma", "beta"], as: "norm")
      ) { m in
        guard let parts = try m.channels("concat") else { return nil }
        var norm = try m.op("norm", as: Normalize.self)
        var (start, normal) = (0, [Value]())
        for part in parts {
          let own = start..<start + part.type.lastDimension
          let operands = [part, try m["s"], try m["gamma"].sliced(own), try m["beta"].sliced(own)]
          normal.append(try m.replacing("norm", by: norm, operands))
          norm.first += part.type.lastDimension
          start = own.upperBound
        }
        return try m.builder.concat(normal, axis: m.type.rank - 1)
      },
      Rewrite(
        "fusedConv([concat(a, b) · w]) → fusedConv([a · w[a], b · w[b]])", .op(FusedConv.self, as: "conv")
      ) { m in
        var conv = try m.op("conv", as: FusedConv.self)
        let operands = try m.operands("conv")
        var sources: [FusedConv.Source] = []
        var factors: [Value] = []
        for (index, source) in conv.sources.enumerated() {
          let (x, w) = (operands[2 * index], operands[2 * index + 1])
          var start = 0
          for part in x.joinedChannels ?? [x] {
            sources.append(source)
            factors += [part, try w.sliced(start..<start + part.type.lastDimension, axis: 1)]
            start += part.type.lastDimension
          }
        }
        guard sources.count > conv.sources.count else { return nil }
        let rest = operands[(2 * conv.sources.count)...]
        conv.sources = sources
        return try m.replacing("conv", by: conv, factors + rest)
      },
    ]
  }
}

extension SplitConcat {
  /// Concatenations of channels are not written; ops come once for each of their parts, and statistics are joined.
  public func prediction(for graph: Graph) -> Work? {
    let costs = graph.costs()
    let isRead = graph.allReaders { reader, slot, answers in
      switch graph[reader].op {
      case is ChannelStatistics: true
      case is Normalize: slot == 0 && answers[reader.index]
      case let conv as FusedConv: slot < 2 * conv.sources.count && slot % 2 == 0
      default: false
      }
    }
    // A part's own statistics may be there already: a skip connection's, from where it was normalized first.
    var known = Set(graph.nodes.filter { $0.op is ChannelStatistics }.map { $0.operands[0] })
    var saved = Work()
    for id in graph.ids {
      let (node, cost) = (graph[id], costs[id.index].written)
      if isRead[id.index], graph.joinedChannels(of: id) != nil { saved = saved + cost }
      guard let x = node.operands.first.flatMap({ graph.joinedChannels(of: $0.node) }) else { continue }
      switch node.op {
      case is ChannelStatistics:
        // What was written at once is the join now.
        for part in x where known.insert(part).inserted {
          let type = try? node.op.types(of: [graph.type(of: part)]).first
          saved = saved - Work(bytes: type?.byteCount ?? 0, ops: 1)
        }
      case is Normalize:
        saved = saved - Work(ops: x.count - 1) - (isRead[id.index] ? Work() : cost)
      default: break
      }
    }
    return saved
  }
}

extension Value {
  /// What this value joins along its last axis, when it is a concatenation of channels.
  fileprivate var joinedChannels: [Value]? {
    builder.graph.joinedChannels(of: id.node).map { $0.map(builder.value) }
  }
}

extension Graph {
  /// What a node joins along the last axis, when it is a concatenation of channels.
  fileprivate func joinedChannels(of id: NodeID) -> [ValueID]? {
    let node = self[id]
    guard let concat = node.op as? Concat, concat.axis == node.types[0].rank - 1, node.operands.count > 1 else {
      return nil
    }
    return node.operands
  }
}

extension Match {
  /// What a captured concatenation joins, when it joins channels.
  fileprivate func channels(_ name: String) throws(SDError) -> [Value]? { try self[name].joinedChannels }
}
