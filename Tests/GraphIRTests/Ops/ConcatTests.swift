import GraphIR
import TestSupport
import Testing

@Suite struct ConcatTests {
  @Test func types() throws {
    #expect(
      try resultType(TensorType(.i32, [2, 3]), TensorType(.i32, [2, 4])) { (v) throws(SDError) in
        try v[0].builder.concat(v, axis: -1)
      } == TensorType(.i32, [2, 7]))
    expectReject(
      TensorType(.f32, [2]), TensorType(.f16, [2]), sentence: "[sd.concat] cannot join f32[2] and f16[2] (C1)"
    ) { (v) throws(SDError) in try v[0].builder.concat(v, axis: 0) }
    expectReject(
      TensorType(.f32, [2, 3]), TensorType(.f32, [3, 3]),
      sentence: "[sd.concat] cannot join f32[2, 3] and f32[3, 3] along axis 1 (C2)"
    ) { (v) throws(SDError) in try v[0].builder.concat(v, axis: 1) }
    expectReject(
      TensorType(.f32, [2, 3]), TensorType(.f32, [2]),
      sentence: "[sd.concat] cannot join f32[2, 3] and f32[2] (C2)"
    ) { (v) throws(SDError) in try v[0].builder.concat(v, axis: 1) }
    expectReject(
      TensorType(.f32, [2]), TensorType(.f32, [2]), sentence: "[sd.concat] axis 1 is not an axis of f32[2]"
    ) { (v) throws(SDError) in try v[0].builder.concat(v, axis: 1) }
    expectReject(TensorType(.f32, []), sentence: "[sd.concat] takes one operand or more, it has 0") {
      (v) throws(SDError) in try v[0].builder.concat([], axis: 0)
    }
  }

  @Test func values() throws {
    let (x, y) = (Tensor([2, 1], [1, 2]), Tensor([2, 2], [3, 4, 5, 6]))
    let columns = try evaluate(x, y) { (v) throws(SDError) in try v[0].builder.concat(v, axis: 1) }
    #expect(columns == Tensor([2, 3], [1, 3, 4, 2, 5, 6]))
    let rows = try evaluate(y, y) { (v) throws(SDError) in try v[0].builder.concat(v, axis: 0) }
    #expect(rows == Tensor([4, 2], y.values + y.values))
  }
}
