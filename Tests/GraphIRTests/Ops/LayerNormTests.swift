import GraphIR
import TestSupport
import Testing

@Suite struct LayerNormTests {
  @Test func types() throws {
    let type = TensorType(.bf16, [2, 3])
    let row = TensorType(.f32, [3])
    #expect(try resultType(type, row, row) { (v) throws(SDError) in try v[0].layerNorm(v[1], v[2]) } == type)
    expectReject(
      type, row, TensorType(.f32, [2]),
      sentence: "[sd.layer_norm] operand 2 must have shape [3], it is f32[2] (C1)"
    ) { (v) throws(SDError) in try v[0].layerNorm(v[1], v[2]) }
    expectReject(type, row, sentence: "[sd.layer_norm] takes 3 operands, it has 2") { (v) throws(SDError) in
      try v[0].layerNorm(v[1])
    }
  }

  @Test func withoutScaleAndShift() throws {
    let x = Tensor.random([4, 9], seed: 1)
    let y = try evaluate(x) { (v) throws(SDError) in try v[0].layerNorm(eps: 0.01) }
    let ones = try evaluate(x, Tensor([9]) { _ in 1 }, Tensor([9]) { _ in 0 }) { (v) throws(SDError) in
      try v[0].layerNorm(v[1], v[2], eps: 0.01)
    }
    #expect(y == ones)
  }

  @Test func formula() throws {
    let (x, gamma, beta) = (
      Tensor.random([4, 9], seed: 1, in: 2...3), Tensor.random([9], seed: 2), Tensor.random([9], seed: 3)
    )
    let y = try evaluate(x, gamma, beta) { (v) throws(SDError) in try v[0].layerNorm(v[1], v[2], eps: 0.01) }
    let expected = Tensor([4, 9]) { index in
      let row = (0..<9).map { x[index[0], $0] }
      let mean = row.reduce(0, +) / 9
      let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 9
      return (row[index[1]] - mean) / (variance + 0.01).squareRoot() * gamma[index[1]] + beta[index[1]]
    }
    expectClose(y, expected, nmse: 1e-11)
  }
}
