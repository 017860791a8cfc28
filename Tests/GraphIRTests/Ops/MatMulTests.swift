import GraphIR
import TestSupport
import Testing

@Suite struct MatMulTests {
  @Test func types() throws {
    #expect(
      try resultType(TensorType(.bf16, [5, 1, 2, 3]), TensorType(.f32, [4, 3, 7])) { (v) throws(SDError) in
        try v[0].matmul(v[1])
      } == TensorType(.bf16, [5, 4, 2, 7]))
    expectReject(
      TensorType(.f32, [2, 3]), TensorType(.f32, [2, 3]),
      sentence: "[sd.matmul] inner dimensions differ: f32[2, 3] by f32[2, 3] (C1)"
    ) { (v) throws(SDError) in try v[0].matmul(v[1]) }
    expectReject(
      TensorType(.f32, [2, 3]), TensorType(.f32, [3, 2]),
      sentence: "[sd.matmul] inner dimensions differ: f32[2, 3] by f32[3, 2] transposed (C1)"
    ) { (v) throws(SDError) in try v[0].matmul(v[1], transposeB: true) }
    expectReject(
      TensorType(.f32, [2, 1, 1]), TensorType(.f32, [3, 1, 1]),
      sentence: "[sd.matmul] cannot broadcast the leading dimensions of f32[2, 1, 1] and f32[3, 1, 1] (C2)"
    ) { (v) throws(SDError) in try v[0].matmul(v[1]) }
    expectReject(
      TensorType(.f32, [3]), TensorType(.f32, [3, 1]),
      sentence: "[sd.matmul] operand 0 must have rank 2 to 8, it is f32[3]"
    ) { (v) throws(SDError) in try v[0].matmul(v[1]) }
  }

  @Test func values() throws {
    let (x, y) = (Tensor([2, 2], [1, 2, 3, 4]), Tensor([2, 2], [5, 6, 7, 8]))
    #expect(try evaluate(x, y) { (v) throws(SDError) in try v[0].matmul(v[1]) }.values == [19, 22, 43, 50])
    #expect(
      try evaluate(x, y) { (v) throws(SDError) in try v[0].matmul(v[1], transposeB: true) }.values == [
        17, 23, 39, 53,
      ])
  }

  /// z[a, b, i, j] = Σₖ x[a, 0, i, k] · y[b, j, k].
  @Test func broadcastsLeadingDimensions() throws {
    let (x, y) = (Tensor.random([2, 1, 3, 5], seed: 1), Tensor.random([4, 2, 5], seed: 2))
    let z = try evaluate(x, y) { (v) throws(SDError) in try v[0].matmul(v[1], transposeB: true) }
    let expected = Tensor([2, 4, 3, 2]) { i in
      (0..<5).reduce(0) { $0 + x[i[0], 0, i[2], $1] * y[i[1], i[3], $1] }
    }
    expectClose(z, expected)
  }

  @Test func linear() throws {
    let y = try evaluate(
      Tensor([1, 2], [1, 2]), Tensor([3, 2], [1, 0, 0, 1, 1, 1]), Tensor([3], [10, 20, 30])
    ) {
      (v) throws(SDError) in try v[0].linear(v[1], v[2])
    }
    #expect(y.values == [11, 22, 33])
  }
}
