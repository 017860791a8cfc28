import GraphIR
import TestSupport
import Testing

@Suite struct TransposeTests {
  @Test func types() throws {
    #expect(
      try resultType(TensorType(.i32, [2, 3, 4])) { (v) throws(SDError) in try v[0].transposed([2, 0, 1]) }
        == TensorType(.i32, [4, 2, 3]))
    for permutation in [[0], [0, 0], [0, 2], [1, 0, 2]] {
      expectReject(
        TensorType(.f32, [2, 3]),
        sentence: "[sd.transpose] permutation \(permutation) does not name every axis of f32[2, 3] once (C1)"
      ) { (v) throws(SDError) in try v[0].transposed(permutation) }
    }
  }

  @Test func matrix() throws {
    let x = Tensor([2, 3], [1, 2, 3, 4, 5, 6])
    let y = try evaluate(x) { (v) throws(SDError) in try v[0].transposed([1, 0]) }
    #expect(y == Tensor([3, 2], [1, 4, 2, 5, 3, 6]))
  }

  /// y[k, i, j] = x[i, j, k].
  @Test func threeAxes() throws {
    let x = Tensor.random([2, 3, 4], seed: 1)
    let y = try evaluate(x) { (v) throws(SDError) in try v[0].transposed([2, 0, 1]) }
    #expect(y == Tensor([4, 2, 3]) { x[$0[1], $0[2], $0[0]] })
  }
}
