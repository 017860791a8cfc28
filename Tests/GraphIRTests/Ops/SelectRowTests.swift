import GraphIR
import TestSupport
import Testing

@Suite struct SelectRowTests {
  @Test func types() throws {
    #expect(
      try resultType(TensorType(.bf16, [10, 4, 2]), TensorType(.i32, [1])) { (v) throws(SDError) in
        try v[0].selectRow(v[1])
      } == TensorType(.bf16, [1, 4, 2]))
    expectReject(
      TensorType(.f32, [10, 4]), TensorType(.i64, [1]),
      sentence: "[sd.select_row] index must be i32[1], it is i64[1] (C1)"
    ) { (v) throws(SDError) in try v[0].selectRow(v[1]) }
    expectReject(
      TensorType(.f32, []), TensorType(.i32, [1]),
      sentence: "[sd.select_row] operand 0 must have rank 1 to 8, it is f32[]"
    ) { (v) throws(SDError) in try v[0].selectRow(v[1]) }
  }

  @Test func values() throws {
    let index = Tensor(TensorType(.i32, [1]), [1])
    let y = try evaluate(Tensor([2, 2], [1, 2, 3, 4]), index) { (v) throws(SDError) in
      try v[0].selectRow(v[1])
    }
    #expect(y == Tensor([1, 2], [3, 4]))
  }

  @Test(arguments: [(Float(2), "2"), (-1, "-1"), (.nan, "nan"), (1e30, "1e+30")])
  func rowOutsideTheTable(index: Float, shown: String) {
    expectError(.invalid, "[sd.select_row] row \(shown) is outside the table of 2 rows") {
      try evaluate(Tensor([2, 1], [1, 2]), Tensor(TensorType(.i32, [1]), [index])) { (v) throws(SDError) in
        try v[0].selectRow(v[1])
      }
    }
  }
}
