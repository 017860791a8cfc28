import GraphIR
import GraphPasses
import Testing

@Suite struct SinkRowTests {
  /// A row of a table of timesteps that the schedule brings, selected at every step.
  static func row(_ b: GraphBuilder, _ shape: [Int], rate: Rate = .schedule) throws -> Value {
    try b.x(shape, "table", rate: rate).selectRow(b.input("index", TensorType(.i32, [1])))
  }

  /// The op that gives output y, and the rate of its first operand.
  static func last(_ graph: Graph) throws -> (any Op, Rate) {
    let node = graph[try #require(graph.outputs.first).value.node]
    return (node.op, graph.rates()[try #require(node.operands.first).node.index])
  }

  @Test func sinksATimeEmbedding() throws {
    let graph = try apply(
      SinkRow(),
      to: makeGraph { b in
        let t = try SinkRowTests.row(b, [7]).timestepEmbedding(8)
        let hidden = try t.linear(b.parameter("w1", [6, 8]), b.parameter("b1", [6])).silu()
        return try hidden.linear(b.parameter("w2", [6, 6]), b.parameter("b2", [6])).silu()
      })
    let (op, rate) = try SinkRowTests.last(graph)
    #expect(op is SelectRow)
    #expect(rate == .schedule)
  }

  @Test func movesViewsOnlyBeforeWork() throws {
    let graph = try apply(
      SinkRow(),
      to: makeGraph { b in
        let row = try SinkRowTests.row(b, [5, 8])
        let work = try row.sliced(0..<6).reshaped([1, 2, 3]).silu()
        return try work.sliced(0..<1, axis: 1).reshaped([1, 3])
      })
    #expect(try SinkRowTests.last(graph).0 is Reshape)
    let selection = try #require(graph.nodes.first { $0.op is SelectRow })
    #expect(graph.type(of: selection.operands[0]) == TensorType(.f32, [5, 2, 3]))
  }

  @Test func sinksThroughOneTapConvolutions() throws {
    let graph = try apply(
      FuseConv(), SinkRow(),
      to: makeGraph { b in
        try SinkRowTests.row(b, [5, 8]).linear(b.parameter("w", [6, 8]), b.parameter("b", [6])).silu()
      })
    #expect(try SinkRowTests.last(graph).0 is SelectRow)
    #expect(graph.count("fused_conv") == 1)
  }

  @Test func declines() throws {
    // An operand that changes at every step.
    try expectUnchanged(
      makeGraph { b in try SinkRowTests.row(b, [5, 8]).adding(b.x([1, 8])) }, by: SinkRow())
    // A table that changes at every step: the work would be done for all rows.
    try expectUnchanged(
      makeGraph { b in try SinkRowTests.row(b, [5, 8], rate: .step).silu() }, by: SinkRow())
    // An operand that repeats the row.
    try expectUnchanged(
      makeGraph { b in try SinkRowTests.row(b, [5, 8]).adding(b.parameter("w", [5, 8])) }, by: SinkRow())
    // Rows that are mixed.
    try expectUnchanged(
      makeGraph { b in try SinkRowTests.row(b, [5, 8]).transposed([1, 0]).silu() }, by: SinkRow())
    try expectUnchanged(
      makeGraph { b in try SinkRowTests.row(b, [5, 2, 4]).reshaped([2, 4]).silu() }, by: SinkRow())
  }
}
