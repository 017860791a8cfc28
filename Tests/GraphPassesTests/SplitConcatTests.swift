import GraphIR
import GraphPasses
import Testing

@Suite struct SplitConcatTests {
  /// A residual block behind a skip connection whose groups straddle the border: 6 + 3 channels in groups of 3 … 9.
  private func block(_ channels: (Int, Int), groups: Int) throws -> Graph {
    let all = channels.0 + channels.1
    return try apply(
      FuseGroupNormSiLU(), FuseConv(),
      to: makeGraph { b in
        let x = try b.concat([b.x([2, 3, 4, channels.0]), b.x([2, 3, 4, channels.1], "skip")], axis: 3)
        let normal = try x.groupNorm(b.parameter("gamma", [all]), b.parameter("beta", [all]), groups: groups, eps: 1e-5)
        let conv = try normal.silu().conv2d(b.parameter("w", [5, all, 3, 3]), padding: Padding(1))
        return try conv.adding(x.conv2d(b.parameter("s", [5, all, 1, 1])))
      })
  }

  @Test(arguments: [(6, 3, 1), (6, 3, 3), (5, 4, 3), (2, 7, 9)]) func readsBothTensors(
    _ a: Int, _ b: Int, _ groups: Int
  )
    throws
  {
    let graph = try apply(SplitConcat(), to: block((a, b), groups: groups))
    let conv = try graph.only(FusedConv.self)
    #expect(conv.sources.count == 4)
    #expect(graph.nodes.compactMap { ($0.op as? Normalize)?.first }.sorted() == [0, a])
    // Only statistics are joined.
    let joined = graph.nodes.filter {
      $0.op is Concat && graph.rates()[graph.nodes.firstIndex(of: $0) ?? 0] > .constant
    }
    #expect(joined.count == 1 && joined.first?.types == [TensorType(.f32, [1, 2, a + b, 2])])
  }

  /// Samples are not channels.
  @Test func leavesOtherAxesAlone() throws {
    let graph = try apply(
      FuseConv(),
      to: makeGraph { b in
        let x = try b.concat([b.x([1, 3, 4, 2]), b.x([1, 3, 4, 2], "other")], axis: 0)
        return try x.conv2d(b.parameter("w", [5, 2, 3, 3]))
      })
    try expectUnchanged(graph, by: SplitConcat())
  }
}
