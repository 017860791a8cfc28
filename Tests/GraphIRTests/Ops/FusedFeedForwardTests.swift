import GraphIR
import TestSupport
import Testing

@Suite struct FusedFeedForwardTests {
  private let op = FusedFeedForward(
    hidden: FusedConv(sources: [.init()], epilogues: [.bias, .gate(.gelu)], dtype: .bf16),
    output: FusedConv(sources: [.init()], epilogues: [.bias, .residual], dtype: .f16))
  private let shapes = [[2, 3, 4], [10, 4], [10], [7, 5], [7], [2, 3, 7]]

  private func apply(_ op: FusedFeedForward) -> ([Value]) throws(SDError) -> Value {
    { (v) throws(SDError) in try v[0].builder.add(op, v) }
  }

  @Test func types() throws {
    let graph = try makeGraph(shapes.map { TensorType(.f32, $0) }, apply(op))
    #expect(graph.outputs.map { graph.type(of: $0.value) } == [TensorType(.f16, [2, 3, 7])])
    #expect(graph.flops == 2 * 6 * (10 * 4 + 7 * 5))
  }

  @Test func rejects() {
    func reject(_ op: FusedFeedForward, _ shapes: [[Int]], _ sentence: String) {
      expectError(.invalid, "\(sentence), at 'test'") { try makeGraph(shapes.map { TensorType(.f32, $0) }, apply(op)) }
    }
    reject(op, shapes.dropLast(), "[sd.fused_feed_forward] takes 6 operands, it has 5")
    var other = op
    other.output.sources.append(.init())
    reject(other, shapes, "[sd.fused_feed_forward] takes two matrix products, of one source each (C1)")
    other = op
    other.hidden.sources = [.init(stride: 2)]
    reject(other, shapes, "[sd.fused_feed_forward] takes two matrix products, of one source each (C1)")
    let plain = FusedFeedForward(hidden: FusedConv(sources: [.init()]), output: FusedConv(sources: [.init()]))
    reject(
      plain, [[1, 2, 2, 4], [6, 4, 1, 1], [5, 6]],
      "[sd.fused_feed_forward] weights f32[6, 4, 1, 1] and f32[5, 6] must be matrices (C1)")
    // The layers' own sentences.
    reject(plain, [[2, 4], [6, 5], [5, 6]], "[sd.fused_conv] weight f32[6, 5] does not fit f32[2, 4] (C1)")
    reject(plain, [[2, 4], [6, 4], [5, 7]], "[sd.fused_conv] weight f32[5, 7] does not fit f32[2, 6] (C1)")
  }

  @Test func isItsLayers() throws {
    let t = shapes.enumerated().map { Tensor.random($1, seed: UInt64($0 + 1)) }
    var exact = op
    (exact.hidden.dtype, exact.output.dtype) = (.f32, .f32)
    let both = try evaluate(t[0], t[1], t[2], t[3], t[4], t[5], build: apply(exact))
    let layers = try evaluate(t[0], t[1], t[2], t[3], t[4], t[5]) { (v) throws(SDError) in
      let wide = try v[0].reshaped([6, 4]).linear(v[1], v[2])
      let hidden = try wide.sliced(0..<5).multiplied(by: wide.sliced(5..<10).gelu())
      return try hidden.matmul(v[3], transposeB: true).adding(v[4]).reshaped([2, 3, 7]).adding(v[5])
    }
    expectClose(both, layers)
  }
}
