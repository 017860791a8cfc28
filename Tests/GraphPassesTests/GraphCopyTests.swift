import GraphIR
import GraphPasses
import Testing

@Suite struct GraphCopyTests {
  @Test func pruningKeepsOrderAndLocations() throws {
    let builder = GraphBuilder(name: "g")
    _ = try builder.x([3], "dead").silu()
    let (a, b) = (try builder.x([3], "a"), try builder.x([3], "b"))
    try builder.scope("sum") { () throws(SDError) in
      try builder.output("y", b.adding(a))
    }
    let graph = try builder.graph.pruned()
    #expect(graph.inputs.map(\.input.name) == ["a", "b"])
    #expect(graph.nodes.map(\.location) == ["g", "g", "g.sum"])
    #expect(try graph.pruned() == graph)
  }

  @Test func aReplacementStandsForTheNode() throws {
    let graph = try makeGraph { b in try b.x([3]).silu().exp() }
    let copy = GraphCopy(of: graph)
    let x = try copy.value(ValueID(NodeID(0)))
    copy.replace(NodeID(1), by: [try x.gelu()])
    #expect(try copy.finished().opCounts() == ["sd.input": 1, "sd.gelu": 1, "sd.exp": 1])
  }

  @Test func aRateIsTheHighestOfTheOperands() throws {
    let graph = try makeGraph { b in
      let text = try b.x([3], "text", rate: .prompt).adding(b.parameter("w", [3]))
      return try text.adding(b.x([3], "times", rate: .schedule)).adding(b.x([3]))
    }
    let expected: [Rate] = [.prompt, .constant, .prompt, .schedule, .schedule, .step, .step]
    #expect(graph.rates() == expected)
    #expect(graph.rates(known: Array(expected.prefix(3))) == expected)
  }
}
