import GraphIR
import TestSupport
import Testing

@Suite struct NormalizeTests {
  @Test func types() throws {
    let (x, row) = (TensorType(.f16, [2, 3, 4, 6]), TensorType(.f32, [6]))
    let statistics = TensorType(.f32, [4, 2, 6, 2])
    #expect(
      try resultType(x, statistics, row, row) { (v) throws(SDError) in
        try v[0].normalize(v[1], v[2], v[3], groups: 3, eps: 1, activation: .silu)
      } == x)
    for wrong in [
      TensorType(.f16, [4, 2, 6, 2]), TensorType(.f32, [2, 6, 2]), TensorType(.f32, [0, 2, 6, 2]),
      TensorType(.f32, [4, 1, 6, 2]), TensorType(.f32, [13, 2, 6, 2]),
    ] {
      expectReject(
        x, wrong, row, row,
        sentence: "[sd.normalize] statistics \(wrong) do not belong to f16[2, 3, 4, 6] (C1)"
      ) { (v) throws(SDError) in try v[0].normalize(v[1], v[2], v[3], groups: 3, eps: 1, activation: nil) }
    }
    expectReject(
      x, statistics, row, TensorType(.f32, [5]),
      sentence: "[sd.normalize] operand 3 must have shape [6], it is f32[5] (C2)"
    ) { (v) throws(SDError) in try v[0].normalize(v[1], v[2], v[3], groups: 3, eps: 1, activation: nil) }
    expectReject(x, statistics, row, row, sentence: "[sd.normalize] groups (4) must divide channels (6) (C3)") {
      (v) throws(SDError) in try v[0].normalize(v[1], v[2], v[3], groups: 4, eps: 1, activation: nil)
    }
  }

  /// Statistics and normalization together are GroupNorm, whatever the parts.
  @Test(arguments: [1, 4, 15]) func isGroupNorm(parts: Int) throws {
    let x = Tensor.random([2, 3, 5, 6], seed: 1, in: 10...11)
    let (gamma, beta) = (Tensor.random([6], seed: 2), Tensor.random([6], seed: 3))
    let y = try evaluate(x, gamma, beta) { (v) throws(SDError) in
      try v[0].normalize(
        v[0].channelStatistics(parts: parts), v[1], v[2], groups: 3, eps: 1e-5, activation: nil)
    }
    expectClose(y, GroupNormTests.formula(x, gamma, beta, groups: 3, eps: 1e-5), nmse: 1e-10)
  }

  @Test func withoutScaleAndShift() throws {
    let norm = Normalize(groups: 3, eps: 1e-5, activation: .silu)
    let (x, ones) = (Tensor.random([2, 3, 5, 6], seed: 1), Tensor([6]) { _ in 1 })
    let plain = try evaluate(x) { (v) throws(SDError) in
      try v[0].applying(norm, v[0].channelStatistics(parts: 1))
    }
    let affine = try evaluate(x, ones, Tensor([6]) { _ in 0 }) { (v) throws(SDError) in
      try v[0].applying(norm, v[0].channelStatistics(parts: 1), v[1], v[2])
    }
    #expect(plain == affine)
    expectReject(
      TensorType(.f32, [2, 6]), TensorType(.f32, [1, 2, 6, 2]), TensorType(.f32, [6]),
      sentence: "[sd.normalize] takes 4 operands, it has 3"
    ) { (v) throws(SDError) in try v[0].applying(norm, v[1], v[2]) }
  }

  @Test(arguments: Activation.allCases) func activates(activation: Activation) throws {
    let x = Tensor.random([1, 2, 2, 4], seed: 1)
    let (gamma, beta) = (Tensor.random([4], seed: 2), Tensor.random([4], seed: 3))
    let fused = try evaluate(x, gamma, beta) { (v) throws(SDError) in
      try v[0].normalize(
        v[0].channelStatistics(parts: 1), v[1], v[2], groups: 2, eps: 1e-5, activation: activation)
    }
    let plain = try evaluate(x, gamma, beta) { (v) throws(SDError) in
      try v[0].groupNorm(v[1], v[2], groups: 2).activated(activation)
    }
    expectClose(fused, plain)
  }
}
