import GraphIR
import TestSupport
import Testing

@Suite struct SumTests {
  @Test func types() throws {
    #expect(
      try resultType(TensorType(.f16, [2, 3, 4])) { (v) throws(SDError) in try v[0].sum(axes: [2, 0]) }
        == TensorType(.f16, [1, 3, 1]))
    for axes in [[2], [-1], [0, 0]] {
      expectReject(
        TensorType(.f32, [2, 3]), sentence: "[sd.sum] axes \(axes) are not axes of f32[2, 3], each once (C1)"
      ) { (v) throws(SDError) in try v[0].sum(axes: axes) }
    }
  }

  @Test func values() throws {
    let x = Tensor([2, 3], [1, 2, 3, 4, 5, 6])
    #expect(try evaluate(x) { (v) throws(SDError) in try v[0].sum(axes: [1]) } == Tensor([2, 1], [6, 15]))
    #expect(try evaluate(x) { (v) throws(SDError) in try v[0].sum(axes: [0]) } == Tensor([1, 3], [5, 7, 9]))
    #expect(try evaluate(x) { (v) throws(SDError) in try v[0].sum(axes: [0, 1]) } == Tensor([1, 1], [21]))
    #expect(try evaluate(x) { (v) throws(SDError) in try v[0].sum(axes: []) } == x)
  }

  @Test func mean() throws {
    let y = try evaluate(Tensor([2, 2], [1, 2, 3, 4])) { (v) throws(SDError) in try v[0].mean(axes: [0, 1]) }
    #expect(y == Tensor([1, 1], [2.5]))
  }

  /// A thousand float32 sums of 0.1 would drift; the oracle adds in float64.
  @Test func addsInFloat64() throws {
    let y = try evaluate(Tensor([1000], [Float](repeating: 0.1, count: 1000))) { (v) throws(SDError) in
      try v[0].sum(axes: [0])
    }
    #expect(y.values == [100])
  }
}
