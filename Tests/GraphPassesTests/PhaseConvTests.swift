import GraphIR
import GraphPasses
import Testing

@Suite struct PhaseConvTests {
  private func graph(_ shape: [Int], to size: (Int, Int), kernel: Int = 3, _ then: (Value) throws -> Value = { $0 })
    throws -> Graph
  {
    try apply(
      FuseConv(),
      to: makeGraph { b in
        let conv = try b.x(shape).upsampleNearest(height: size.0, width: size.1).conv2d(
          b.parameter("w", [5, shape[3], kernel, kernel]), b.parameter("b", [5]), padding: Padding(kernel / 2))
        return try then(conv)
      })
  }

  /// 4/9 of the work, at any parity of the small image.
  @Test(arguments: [[1, 3, 4, 2], [2, 1, 1, 3], [1, 2, 5, 1]]) func takesPhasesApart(_ shape: [Int]) throws {
    let before = try graph(shape, to: (2 * shape[1], 2 * shape[2])) { try $0.silu() }
    let after = try apply(PhaseConv(), to: before)
    let conv = try after.only(FusedConv.self)
    #expect(conv.sources == [.init(phases: true)] && conv.epilogues == [.bias, .activation(.silu)])
    #expect(convFlops(after) * 9 == convFlops(before) * 4)
  }

  private func convFlops(_ graph: Graph) -> Int {
    graph.nodes.reduce(0) { sum, node in
      guard node.op is FusedConv else { return sum }
      return sum + node.op.flops(operands: node.operands.map { graph.type(of: $0) }, results: node.types)
    }
  }

  @Test func leavesOthersAlone() throws {
    try expectUnchanged(graph([1, 3, 4, 2], to: (6, 7)), by: PhaseConv())
    try expectUnchanged(graph([1, 3, 4, 2], to: (6, 8), kernel: 1), by: PhaseConv())
    try expectUnchanged(
      graph([1, 3, 4, 2], to: (6, 8)) { try $0.adding($0.builder.x([1, 6, 8, 5], "r")) }, by: PhaseConv())
  }
}
