import GraphIR
import TestSupport
import Testing

@Suite struct GroupNormTests {
  @Test func types() throws {
    let type = TensorType(.bf16, [1, 2, 2, 6])
    let row = TensorType(.f32, [6])
    #expect(
      try resultType(type, row, row) { (v) throws(SDError) in try v[0].groupNorm(v[1], v[2], groups: 3) }
        == type)
    for groups in [4, 0, -1] {
      expectReject(
        type, row, row, sentence: "[sd.group_norm] groups (\(groups)) must divide channels (6) (C2)"
      ) {
        (v) throws(SDError) in try v[0].groupNorm(v[1], v[2], groups: groups)
      }
    }
    expectReject(
      type, TensorType(.f32, [5]), row,
      sentence: "[sd.group_norm] operand 1 must have shape [6], it is f32[5] (C1)"
    ) { (v) throws(SDError) in try v[0].groupNorm(v[1], v[2], groups: 3) }
  }

  @Test func formula() throws {
    let x = Tensor.random([2, 3, 5, 6], seed: 1, in: 1...3)
    let (gamma, beta) = (Tensor.random([6], seed: 2), Tensor.random([6], seed: 3))
    let y = try evaluate(x, gamma, beta) { (v) throws(SDError) in
      try v[0].groupNorm(v[1], v[2], groups: 3, eps: 0.01)
    }
    expectClose(y, GroupNormTests.formula(x, gamma, beta, groups: 3, eps: 0.01), nmse: 1e-11)
  }

  /// The definition in float64, element by element; x is `[B, H, W, C]`.
  static func formula(_ x: Tensor, _ gamma: Tensor, _ beta: Tensor, groups: Int, eps: Double) -> Tensor {
    let width = x.shape[3] / groups
    return Tensor(x.shape) { index in
      let first = index[3] / width * width
      var group: [Double] = []
      for i in 0..<x.shape[1] {
        for j in 0..<x.shape[2] {
          for c in first..<first + width { group.append(x[index[0], i, j, c]) }
        }
      }
      let mean = group.reduce(0, +) / Double(group.count)
      let variance = group.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(group.count)
      let normal = (x[index[0], index[1], index[2], index[3]] - mean) / (variance + eps).squareRoot()
      return normal * gamma[index[3]] + beta[index[3]]
    }
  }
}
