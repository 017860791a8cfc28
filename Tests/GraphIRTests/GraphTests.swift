import GraphIR
import TestSupport
import Testing

@Suite struct GraphTests {
  @Test func equalNodesAreOne() throws {
    let builder = GraphBuilder(name: "g")
    let x = try builder.input("x", TensorType(.f32, [2]))
    let first = try x.exp()
    #expect(try x.exp().id == first.id)
    #expect(try x.sigmoid().id != first.id)
    #expect(builder.graph.nodes.count == 3)
  }

  @Test func attributesDistinguishNodes() throws {
    let builder = GraphBuilder(name: "g")
    let x = try builder.input("x", TensorType(.f32, [2, 3]))
    #expect(try x.sum(axes: [0]).id != x.sum(axes: [1]).id)
  }

  @Test func constantsDifferByBits() throws {
    let builder = GraphBuilder(name: "g")
    #expect(try builder.constant([], [0]).id != builder.constant([], [-0.0]).id)
    #expect(try builder.constant([], [.nan]).id == builder.constant([], [.nan]).id)
  }

  @Test func operandsComeBeforeUsers() throws {
    let graph = try RandomGraph.make(seed: 7, steps: 50)
    for id in graph.ids { #expect(graph[id].operands.allSatisfy { $0.node < id }) }
  }

  @Test func livenessAndUses() throws {
    let builder = GraphBuilder(name: "g")
    let x = try builder.input("x", TensorType(.f32, [2]))
    let dead = try x.exp()
    let live = try x.multiplied(by: x)
    try builder.output("out", live)
    let graph = builder.graph
    #expect(graph.liveness() == [true, false, true])
    #expect(graph.useCounts() == [3, 0, 1])
    #expect(graph.type(of: dead.id) == TensorType(.f32, [2]))
    #expect(graph.opCounts() == ["sd.input": 1, "sd.exp": 1, "sd.multiply": 1])
  }

  @Test func locationsAreScopes() throws {
    let builder = GraphBuilder(name: "unet")
    let x = try builder.input("x", TensorType(.f32, [2]))
    let y = try builder.scope("down") { () throws(SDError) in
      try builder.scope("0") { () throws(SDError) in try x.exp() }
    }
    let z = try builder.at("elsewhere") { () throws(SDError) in try y.exp() }
    #expect(builder.graph[y.id.node].location == "unet.down.0")
    #expect(builder.graph[z.id.node].location == "elsewhere")
    #expect(builder.location == "unet")
  }

  @Test func refusals() throws {
    var graph = Graph(name: "g")
    let id = try graph.add(Input(name: "x", type: TensorType(.f32, [2])), [], location: "here")
    try graph.addOutput("out", ValueID(id))
    expectError(.invalid, "graph 'g' already has an output 'out'") { try graph.addOutput("out", ValueID(id)) }
    expectError(.usage, "[sd.exp] operand 0 is no value of this graph, at 'there'") {
      try graph.add(Exp(), [ValueID(NodeID(7))], location: "there")
    }
    expectError(.usage, "[sd.exp] operand 0 is no value of this graph, at 'there'") {
      try graph.add(Exp(), [ValueID(id, 1)], location: "there")
    }
    expectError(.invalid, "[sd.exp] takes 1 operand, it has 2, at 'there'") {
      try graph.add(Exp(), [ValueID(id), ValueID(id)], location: "there")
    }
    expectError(.invalid, "[sd.input] result f32[2147483648] is too large, at 'there'") {
      try graph.add(Input(name: "y", type: TensorType(.f32, [1 << 31])), [], location: "there")
    }
    expectError(.invalid, "[lab.graph.nothing] gives no result, at 'there'") {
      try graph.add(Nothing(), [], location: "there")
    }
    let (one, other) = (GraphBuilder(name: "one"), GraphBuilder(name: "other"))
    let x = try one.constant([], [1])
    expectError(.usage, "[sd.add] operand from another graph, at 'other'") {
      try other.constant([], [1]).adding(x)
    }
  }

  @Test func flopsSaturate() throws {
    let builder = GraphBuilder(name: "g")
    let n = 1 << 29
    let x = try builder.input("x", TensorType(.f32, [n, n]))
    let y = try builder.input("y", TensorType(.f32, [n, n]))
    _ = try x.matmul(y)
    #expect(builder.graph.flops == .max)
    let small = try makeGraph([TensorType(.f32, [2, 3]), TensorType(.f32, [3, 5])]) { (v) throws(SDError) in
      try v[0].matmul(v[1])
    }
    #expect(small.flops == 2 * 2 * 3 * 5)
  }

  @Test func equality() throws {
    let graph = try RandomGraph.make(seed: 3)
    var other = graph
    #expect(other == graph)
    other.name = "other"
    #expect(other != graph)
    let next = try RandomGraph.make(seed: 4)
    #expect(next != graph)
  }
}

/// An op without results, which no graph takes.
private struct Nothing: PrimitiveOp {
  static let id = OpID("lab.graph", "nothing", version: 1)
  func types(of operands: [TensorType]) throws(SDError) -> [TensorType] { [] }
  func evaluate(_ operands: [Tensor]) throws(SDError) -> [Tensor] { [] }
}
