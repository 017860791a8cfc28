import GraphIR
import TestSupport
import Testing

@Suite struct ReshapeTests {
  @Test func types() throws {
    #expect(
      try resultType(TensorType(.i32, [2, 6])) { (v) throws(SDError) in try v[0].reshaped([3, 4]) }
        == TensorType(.i32, [3, 4]))
    for shape in [[5], [-1, -12], [1 << 31, 0]] {
      expectReject(
        TensorType(.f32, [2, 6]),
        sentence: "[sd.reshape] cannot reshape f32[2, 6] to \(shape): the number of elements differs (C1)"
      ) { (v) throws(SDError) in try v[0].reshaped(shape) }
    }
  }

  @Test func keepsOrder() throws {
    let x = Tensor([2, 3], [1, 2, 3, 4, 5, 6])
    let y = try evaluate(x) { (v) throws(SDError) in try v[0].reshaped([3, 2]) }
    #expect(y == Tensor([3, 2], x.values))
  }
}
