import GraphIR

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

extension Value {
  /// What this value joins along its last axis, when it is a concatenation of channels.
  fileprivate var joinedChannels: [Value]? {
    let node = builder.graph[id.node]
    guard let concat = node.op as? Concat, concat.axis == type.rank - 1, node.operands.count > 1 else {
      return nil
    }
    return node.operands.map { builder.value($0) }
  }
}

extension Match {
  /// What a captured concatenation joins, when it joins channels.
  fileprivate func channels(_ name: String) throws(SDError) -> [Value]? { try self[name].joinedChannels }
}
