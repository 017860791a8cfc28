import GraphIR
import TestSupport
import Testing

@Suite struct SliceTests {
  @Test func types() throws {
    #expect(
      try resultType(TensorType(.i32, [2, 6])) { (v) throws(SDError) in try v[0].sliced(1..<4) }
        == TensorType(.i32, [2, 3]))
    expectReject(TensorType(.f32, [2]), sentence: "[sd.slice] axis 1 is not an axis of f32[2] (C1)") {
      (v) throws(SDError) in try v[0].sliced(0..<1, axis: 1)
    }
    expectReject(
      TensorType(.f32, [2, 3]), sentence: "[sd.slice] cannot slice 1 ..< 4 out of axis 1 of f32[2, 3] (C2)"
    ) { (v) throws(SDError) in try v[0].sliced(1..<4) }
    expectReject(
      TensorType(.f32, [2, 3]), sentence: "[sd.slice] cannot slice 1 ..< 1 out of axis 0 of f32[2, 3] (C2)"
    ) { (v) throws(SDError) in try v[0].sliced(1..<1, axis: 0) }
    expectReject(
      TensorType(.f32, [2, 3]), sentence: "[sd.slice] cannot slice -1 ..< 1 out of axis 0 of f32[2, 3] (C2)"
    ) { (v) throws(SDError) in try v[0].sliced(-1..<1, axis: 0) }
  }

  @Test func wholeIsNoNode() throws {
    let builder = GraphBuilder(name: "test")
    let x = try builder.input("x", TensorType(.f16, [2, 3]))
    #expect(try x.sliced(0..<3).id == x.id)
  }

  @Test func values() throws {
    let x = Tensor([2, 3], [1, 2, 3, 4, 5, 6])
    #expect(
      try evaluate(x) { (v) throws(SDError) in try v[0].sliced(1..<3) } == Tensor([2, 2], [2, 3, 5, 6]))
    #expect(
      try evaluate(x) { (v) throws(SDError) in try v[0].sliced(1..<2, axis: 0) }
        == Tensor([1, 3], [4, 5, 6]))
  }
}
