import GraphIR
import GraphPasses
import Testing

@Suite struct MergeProjectionsTests {
  @Test func mergesWithoutBias() throws {
    let graph = try apply(
      MergeProjections(),
      to: makeGraph { b in
        let x = try b.x([2, 3, 4])
        let q = try x.linear(b.parameter("q", [5, 4]))
        let k = try q.silu().adding(x.linear(b.parameter("k", [5, 4])))
        return try b.concat([k, x.linear(b.parameter("v", [6, 4]))], axis: 2)
      })
    #expect(graph.count("matmul") == 1)
    #expect(graph.count("slice") == 3)
  }

  @Test func mergesBiasedAndPlainApart() throws {
    let graph = try apply(
      MergeProjections(),
      to: makeGraph { b in
        let x = try b.x([3, 4])
        var values: [Value] = []
        for i in 0..<5 {
          values.append(try x.linear(b.parameter("w\(i)", [2, 4]), i < 3 ? b.parameter("b\(i)", [2]) : nil))
        }
        return try b.concat(values, axis: 1)
      })
    #expect(graph.count("matmul") == 2)
    #expect(graph.count("add") == 1)
  }

  @Test func mergesWeightsThatAreComputed() throws {
    let graph = try apply(
      MergeProjections(),
      to: makeGraph { b in
        let x = try b.x([3, 4])
        let w = try b.parameter("w", [2, 4]).multiplied(by: b.constant([], [0.5]))
        return try x.linear(w).adding(x.linear(b.parameter("u", [2, 4])))
      })
    #expect(graph.count("matmul") == 1)
  }

  @Test func keepsABiasWhoseProductIsReadElsewhere() throws {
    let graph = try apply(
      MergeProjections(),
      to: makeGraph { b in
        let x = try b.x([3, 4])
        let product = try x.linear(b.parameter("w", [2, 4]))
        let other = try x.linear(b.parameter("u", [2, 4]))
        return try product.adding(b.parameter("b", [2])).multiplied(by: product).multiplied(by: other)
      })
    #expect(graph.count("matmul") == 1)
    #expect(graph.count("add") == 1)
  }

  @Test func declines() throws {
    // Different tensors; a weight that is an input; a product with w itself, not its transpose.
    try expectUnchanged(
      makeGraph { b in
        let (x, y) = (try b.x([4, 4]), try b.x([4, 4], "y"))
        return try x.linear(b.parameter("w", [4, 4])).adding(y.linear(b.parameter("u", [4, 4])))
          .adding(x.linear(y)).adding(x.matmul(b.parameter("t", [4, 4])))
      }, by: MergeProjections())
  }
}
