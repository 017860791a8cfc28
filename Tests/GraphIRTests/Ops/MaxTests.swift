import GraphIR
import TestSupport
import Testing

@Suite struct MaxTests {
  @Test func types() throws {
    #expect(
      try resultType(TensorType(.f16, [2, 3, 4])) { (v) throws(SDError) in try v[0].max(axes: [2, 0]) }
        == TensorType(.f16, [1, 3, 1]))
    for axes in [[2], [-1], [0, 0]] {
      expectReject(
        TensorType(.f32, [2, 3]), sentence: "[sd.max] axes \(axes) are not axes of f32[2, 3], each once (C1)"
      ) { (v) throws(SDError) in try v[0].max(axes: axes) }
    }
  }

  @Test func values() throws {
    let x = Tensor([2, 3], [1, 2, 3, 4, 5, 6])
    #expect(try evaluate(x) { (v) throws(SDError) in try v[0].max(axes: [1]) } == Tensor([2, 1], [3, 6]))
    #expect(try evaluate(x) { (v) throws(SDError) in try v[0].max(axes: [0]) } == Tensor([1, 3], [4, 5, 6]))
    #expect(try evaluate(x) { (v) throws(SDError) in try v[0].max(axes: [0, 1]) } == Tensor([1, 1], [6]))
    #expect(try evaluate(x) { (v) throws(SDError) in try v[0].max(axes: []) } == x)
  }

  @Test func nanWins() throws {
    for values in [[1, .nan, 2], [.nan, 1, 2], [1, 2, .nan]] as [[Float]] {
      #expect(
        try evaluate(Tensor([3], values)) { (v) throws(SDError) in try v[0].max(axes: [0]) }.values[0].isNaN)
    }
  }
}
