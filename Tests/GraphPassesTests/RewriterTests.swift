import GraphIR
import GraphPasses
import Testing

@Suite struct RewriterTests {
  @Test func newNodesTakeTheLocationOfTheRoot() throws {
    let builder = GraphBuilder(name: "g")
    let x = try builder.x([3])
    let y = try builder.scope("block") { () throws(SDError) in
      let gate = try builder.scope("gate") { () throws(SDError) in try x.sigmoid() }
      return try x.multiplied(by: gate)
    }
    try builder.output("y", y)
    var context = PassContext()
    let rule = Rewrite("x · sigmoid(x) → silu(x)", .op(Multiply.self, ["x", .op(Sigmoid.self, ["x"])])) { m in
      try m["x"].silu()
    }
    let graph = try Rewriter([rule]).run(builder.graph, &context)
    #expect(graph.nodes.count == 2)
    #expect(graph.nodes[1].location == "g.block")
    #expect(context.rewrites == 1)
  }

  @Test func cyclicRulesAreNamed() throws {
    let rules = [
      Rewrite("a → b", .op(SiLU.self, ["x"])) { m in try m["x"].gelu() },
      Rewrite("b → a", .op(GELU.self, ["x"])) { m in try m["x"].silu() },
    ]
    let graph = try makeGraph { b in try b.x([3]).silu().exp().gelu() }
    #expect(throws: SDError(.invalid, "rewriting 'g' does not end; still applied: 'a → b', 'b → a'")) {
      var context = PassContext()
      _ = try Rewriter(rules).run(graph, &context)
    }
  }

  @Test func otherTypesAreRefused() throws {
    let rule = Rewrite("wrong", .op(SiLU.self, ["x"])) { m in try m["x"].reshaped([4]) }
    let graph = try makeGraph { b in try b.x([2, 2]).silu() }
    #expect(throws: SDError(.invalid, "rule 'wrong' puts f32[4] in the place of f32[2, 2], at 'g'")) {
      var context = PassContext()
      _ = try Rewriter([rule]).run(graph, &context)
    }
  }

  @Test func foreignErrorsAreWorded() throws {
    struct Failure: Error {}
    let rule = Rewrite("fails", .op(SiLU.self, ["x"])) { _ in throw Failure() }
    let graph = try makeGraph { b in try b.x([2]).silu() }
    #expect(throws: SDError(.invalid, "rule 'fails' failed: Failure()")) {
      var context = PassContext()
      _ = try Rewriter([rule]).run(graph, &context)
    }
  }

  @Test func multipleOutputsStay() throws {
    let builder = GraphBuilder(name: "g")
    let x = try builder.x([3]).adding(builder.constant([], [0]))
    try builder.output("a", x)
    try builder.output("b", x.silu())
    let graph = try apply(Simplify(), to: builder.graph)
    #expect(graph.outputs.map(\.name) == ["a", "b"])
    #expect(graph.nodes.count == 2)
  }
}
