import GraphIR
import TestSupport
import Testing

@Suite struct Conv2DTests {
  @Test func types() throws {
    #expect(
      try resultType(TensorType(.f16, [2, 8, 9, 3]), TensorType(.f32, [5, 3, 3, 3])) { (v) throws(SDError) in
        try v[0].conv2d(v[1], stride: 2, padding: Padding(1))
      } == TensorType(.f16, [2, 4, 5, 5]))
    expectReject(
      TensorType(.f32, [1, 8, 8, 3]), TensorType(.f32, [5, 4, 3, 3]),
      sentence: "[sd.conv2d] weight f32[5, 4, 3, 3] must have the 3 input channels of f32[1, 8, 8, 3] (C1)"
    ) { (v) throws(SDError) in try v[0].conv2d(v[1]) }
    let image = TensorType(.f32, [1, 2, 2, 1])
    for (stride, padding) in [(0, 1), (-1, 1), (1, 0), (1, -1), (.max, 0), (1, .max)] {
      expectReject(
        image, TensorType(.f32, [1, 1, 3, 3]),
        sentence: "[sd.conv2d] cannot slide a 3x3 window over f32[1, 2, 2, 1] (C2, C3)"
      ) { (v) throws(SDError) in try v[0].conv2d(v[1], stride: stride, padding: Padding(padding)) }
    }
    expectReject(
      TensorType(.f32, [8, 8, 3]), TensorType(.f32, [5, 3, 3, 3]),
      sentence: "[sd.conv2d] operand 0 must have rank 4, it is f32[8, 8, 3]"
    ) { (v) throws(SDError) in try v[0].conv2d(v[1]) }
  }

  @Test func sumsWindows() throws {
    let x = Tensor([1, 3, 3, 1], [1, 2, 3, 4, 5, 6, 7, 8, 9])
    let ones = Tensor([1, 1, 2, 2], [1, 1, 1, 1])
    let y = try evaluate(x, ones) { (v) throws(SDError) in try v[0].conv2d(v[1]) }
    #expect(y == Tensor([1, 2, 2, 1], [12, 16, 24, 28]))
  }

  @Test func paddingIsPerSide() throws {
    let x = Tensor([1, 1, 1, 1], [5])
    let weight = Tensor([1, 1, 2, 2], [1, 2, 3, 4])
    let y = try evaluate(x, weight) { (v) throws(SDError) in
      try v[0].conv2d(v[1], padding: Padding(top: 1, left: 0, bottom: 0, right: 1))
    }
    #expect(y == Tensor([1, 1, 1, 1], [15]))
  }

  /// y[b, i, j, o] = bias[o] + Σ x[b, 2i + u − 1, 2j + v − 1, c] · w[o, c, u, v].
  @Test func formula() throws {
    let (x, w) = (Tensor.random([2, 5, 6, 3], seed: 1), Tensor.random([4, 3, 3, 3], seed: 2))
    let bias = Tensor([4], [1, -1, 2, 0])
    let y = try evaluate(x, w, bias) { (v) throws(SDError) in
      try v[0].conv2d(v[1], v[2], stride: 2, padding: Padding(1))
    }
    let expected = Tensor([2, 3, 3, 4]) { index in
      var sum = bias[index[3]]
      for u in 0..<3 {
        for v in 0..<3 {
          let (row, column) = (2 * index[1] + u - 1, 2 * index[2] + v - 1)
          guard (0..<5).contains(row), (0..<6).contains(column) else { continue }
          for c in 0..<3 { sum += x[index[0], row, column, c] * w[index[3], c, u, v] }
        }
      }
      return sum
    }
    expectClose(y, expected)
  }
}
