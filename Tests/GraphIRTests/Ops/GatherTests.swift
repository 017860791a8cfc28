import GraphIR
import TestSupport
import Testing

@Suite struct GatherTests {
  @Test func types() throws {
    #expect(
      try resultType(TensorType(.bf16, [10, 4]), TensorType(.i64, [2, 3])) { (v) throws(SDError) in
        try v[0].gather(v[1])
      } == TensorType(.bf16, [2, 3, 4]))
    expectReject(
      TensorType(.f32, [10, 4]), TensorType(.f32, [2]),
      sentence: "[sd.gather] ids must be integers, they are f32[2] (C1)"
    ) { (v) throws(SDError) in try v[0].gather(v[1]) }
    expectReject(
      TensorType(.f32, [10]), TensorType(.i32, [2]),
      sentence: "[sd.gather] operand 0 must have rank 2, it is f32[10]"
    ) { (v) throws(SDError) in try v[0].gather(v[1]) }
  }

  @Test func values() throws {
    let table = Tensor([3, 2], [1, 2, 3, 4, 5, 6])
    let ids = Tensor(TensorType(.i32, [2, 2]), [2, 0, 0, 1])
    let y = try evaluate(table, ids) { (v) throws(SDError) in try v[0].gather(v[1]) }
    #expect(y == Tensor([2, 2, 2], [5, 6, 1, 2, 1, 2, 3, 4]))
  }

  @Test(arguments: [(Float(3), "3"), (-1, "-1"), (.nan, "nan"), (1e30, "1e+30"), (-.infinity, "-inf")])
  func idOutsideTheTable(id: Float, shown: String) {
    let ids = Tensor(TensorType(.i64, [1]), [id])
    expectError(.invalid, "[sd.gather] id \(shown) is outside the table of 3 rows") {
      try evaluate(Tensor([3, 1], [1, 2, 3]), ids) { (v) throws(SDError) in try v[0].gather(v[1]) }
    }
  }
}
