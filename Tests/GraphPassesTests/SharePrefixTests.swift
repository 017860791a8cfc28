import GraphIR
import GraphPasses
import Testing

@Suite struct SharePrefixTests {
  /// A pair of equal samples through everything that keeps samples apart, then something that tells them apart.
  private func graph(_ after: (GraphBuilder, Value) throws -> Value) throws -> Graph {
    try apply(
      FuseGroupNormSiLU(), FuseConv(),
      to: makeGraph { b in
        let sample = try b.x([1, 3, 4, 6])
        let pair = try b.concat([sample, sample], axis: 0)
        var h = try pair.groupNorm(b.parameter("gamma", [6]), b.parameter("beta", [6]), groups: 2, eps: 1e-5).silu()
        h = try h.conv2d(b.parameter("w", [6, 6, 3, 3]), b.parameter("b", [6]), padding: Padding(1))
        h = try h.adding(b.x([1, 1, 1, 6], "time", rate: .schedule)).adding(pair)
        let rows = try h.reshaped([2, 12, 6]).layerNorm(b.parameter("g", [6]), b.parameter("h", [6]), eps: 1e-5)
        return try after(b, rows.attention(rows, rows, heads: 2, scale: 0.5, causal: false))
      })
  }

  @Test func computesOneOfTwo() throws {
    let before = try graph { _, x in x }
    let after = try apply(SharePrefix(), to: before)
    #expect(after.nodes.compactMap { $0.op as? Concat }.map(\.axis) == [0])
    #expect(after.nodes.allSatisfy { $0.op is Concat || $0.types.allSatisfy { $0.shape.first != 2 } })
    #expect(2 * after.flops == before.flops)
  }

  /// What differs between the samples is computed for both, from halves that are joined once each.
  @Test func joinsWhereSamplesDiffer() throws {
    let after = try apply(
      SharePrefix(),
      to: graph { b, x in
        let context = try b.x([2, 5, 6], "context", rate: .prompt)
        return try x.attention(context, context, heads: 2, scale: 0.5, causal: false).adding(x)
      })
    #expect(after.count("concat") == 1)
    #expect(after.nodes.filter { $0.op is Attention }.map { $0.types[0].shape[0] } == [1, 2])
  }

  @Test func leavesDifferentSamplesAlone() throws {
    let graph = try makeGraph { b in
      try b.concat([b.x([1, 4], "x"), b.x([1, 4], "y")], axis: 0).silu()
    }
    try expectUnchanged(graph, by: SharePrefix())
  }
}
