import GraphIR
import GraphPasses
import Testing

@Suite struct DeriveWeightsTests {
  static func graph(rows: Int, scope: String = "a") throws -> Graph {
    try makeGraph { b in
      let x = try b.x([rows, 4])
      return try b.scope(scope) { () throws(SDError) in
        let joined = try b.concat([b.parameter("q", [2, 4]), b.parameter("k", [3, 4])], axis: 0).cast(
          to: .bf16)
        return try x.linear(joined, b.parameter("bias", [5]))
      }
    }
  }

  @Test func replacesWhatDependsOnParametersAlone() throws {
    let derived = try DeriveWeights().run(DeriveWeightsTests.graph(rows: 3))
    #expect(derived.graph.opCounts() == ["sd.input": 1, "sd.parameter": 2, "sd.matmul": 1, "sd.add": 1])
    let weight = try #require(derived.weights.first)
    #expect(derived.weights.count == 1)
    #expect(weight.name.hasPrefix("q+1#") && weight.name.utf8.count == 4 + 16)
    #expect(weight.type == TensorType(.bf16, [5, 4]))
    #expect(weight.graph.outputs.map(\.name) == ["value"])
    #expect(weight.graph.parameters.map(\.parameter.name) == ["q", "k"])
    #expect(weight.graph.type(of: weight.graph.outputs[0].value) == weight.type)
  }

  @Test func computesTheSame() throws {
    let graph = try DeriveWeightsTests.graph(rows: 3)
    let derived = try DeriveWeights().run(graph)
    try Equivalence(tolerance: 0).check(graph, derived.joined(), pass: "derive-weights")
  }

  @Test func equalExpressionsHaveEqualNames() throws {
    let names = try [(3, "a"), (7, "a"), (3, "elsewhere.b")].map { rows, scope in
      try DeriveWeights().run(DeriveWeightsTests.graph(rows: rows, scope: scope)).weights.map(\.name)
    }
    #expect(names[0] == names[1] && names[0] == names[2])
    let other = try DeriveWeights().run(
      makeGraph { b in
        try b.x([3, 4]).linear(
          b.concat([b.parameter("q", [2, 4]), b.parameter("k", [3, 4])], axis: 0).cast(to: .f16),
          b.parameter("bias", [5]))
      })
    #expect(other.weights.map(\.name) != names[0])
  }

  @Test func leavesLeavesAlone() throws {
    let graph = try makeGraph { b in
      try b.x([4, 4]).linear(b.parameter("w", [4, 4])).multiplied(by: b.constant([], [2])).adding(
        b.causalMask(4))
    }
    let derived = try DeriveWeights().run(graph)
    #expect(derived.weights.isEmpty && derived.graph == graph)
  }

  @Test func sharesAWeightThatIsReadTwice() throws {
    let graph = try makeGraph { b in
      let w = try b.parameter("w", [4, 4]).cast(to: .bf16)
      return try b.x([2, 4]).linear(w).silu().linear(w)
    }
    let derived = try DeriveWeights().run(graph)
    #expect(derived.weights.count == 1 && derived.graph.count("parameter") == 1)
    #expect(derived.weights[0].name.hasPrefix("w#"))
  }
}
