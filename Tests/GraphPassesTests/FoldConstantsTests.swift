import GraphIR
import GraphPasses
import Testing

@Suite struct FoldConstantsTests {
  @Test func foldsWholeExpressions() throws {
    let graph = try apply(
      FoldConstants(),
      to: makeGraph { b in
        let table = try b.constant([2, 2], [1, 2, 3, 4]).exp().transposed([1, 0]).sliced(0..<1)
        return try b.x([2, 1]).adding(table)
      })
    #expect(graph.opCounts() == ["sd.input": 1, "sd.constant": 1, "sd.add": 1])
  }

  @Test func keepsElementTypes() throws {
    let graph = try apply(
      FoldConstants(),
      to: makeGraph { b in try b.x([2]).adding(b.constant([2], [0.1, 0.2]).cast(to: .bf16)) })
    let constant = try graph.only(Constant.self)
    #expect(constant.type == TensorType(.bf16, [2]))
    #expect(constant.values == [DType.bf16.rounded(0.1), DType.bf16.rounded(0.2)])
  }

  @Test func leavesParametersInputsAndLargeResults() throws {
    try expectUnchanged(
      makeGraph { b in try b.x([2]).adding(b.parameter("w", [2]).silu()).multiplied(by: b.constant([], [3]))
      },
      by: FoldConstants())
    let column = [Float](repeating: 0.5, count: 300)
    try expectUnchanged(
      makeGraph { b in
        try b.x([300, 300]).adding(b.constant([300, 1], column).multiplied(by: b.constant([300], column)))
      }, by: FoldConstants())
  }
}
