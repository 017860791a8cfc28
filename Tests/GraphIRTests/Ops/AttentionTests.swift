import Foundation
import GraphIR
import TestSupport
import Testing

@Suite struct AttentionTests {
  @Test func types() throws {
    let (q, k, v) = (TensorType(.f16, [2, 5, 8]), TensorType(.f16, [2, 7, 8]), TensorType(.f16, [2, 7, 4]))
    #expect(
      try resultType(q, k, v) { (v) throws(SDError) in try v[0].attention(v[1], v[2], heads: 2, scale: 1) }
        == TensorType(.f16, [2, 5, 4]))
    for heads in [3, 0, -1] {
      expectReject(
        q, k, v,
        sentence: "[sd.attention] q f16[2, 5, 8], k f16[2, 7, 8], v f16[2, 7, 4] do not fit together in "
          + "\(heads) heads (C1)"
      ) { (v) throws(SDError) in try v[0].attention(v[1], v[2], heads: heads, scale: 1) }
    }
    expectReject(
      q, k, v,
      sentence:
        "[sd.attention] causal attention needs as many queries as keys: q f16[2, 5, 8], k f16[2, 7, 8] (C2)"
    ) { (v) throws(SDError) in try v[0].attention(v[1], v[2], heads: 2, scale: 1, causal: true) }
  }

  @Test(arguments: [false, true]) func formula(causal: Bool) throws {
    let keys = causal ? 5 : 7
    let (q, k, v) = (
      Tensor.random([2, 5, 6], seed: 1), Tensor.random([2, keys, 6], seed: 2),
      Tensor.random([2, keys, 4], seed: 3)
    )
    let y = try evaluate(q, k, v) { (v) throws(SDError) in
      try v[0].attention(v[1], v[2], heads: 2, scale: 0.7, causal: causal)
    }
    let expected = Tensor([2, 5, 4]) { index in
      let (batch, row, head) = (index[0], index[1], index[2] / 2)
      var (sum, total) = (0.0, 0.0)
      for key in 0..<keys where !causal || key <= row {
        var score = 0.0
        for d in 3 * head..<3 * head + 3 { score += q[batch, row, d] * k[batch, key, d] }
        sum += exp(0.7 * score) * v[batch, key, index[2]]
        total += exp(0.7 * score)
      }
      return sum / total
    }
    expectClose(y, expected)
  }

  @Test func headsSplitAndMerge() throws {
    let x = Tensor.random([2, 3, 4], seed: 1)
    #expect(try evaluate(x) { (v) throws(SDError) in try v[0].splitHeads(2).mergeHeads() } == x)
    #expect(
      try resultType(x.type) { (v) throws(SDError) in try v[0].splitHeads(2) }
        == TensorType(.f32, [2, 2, 3, 2]))
    expectReject(x.type, sentence: "cannot split f32[2, 3, 4] into 3 heads") { (v) throws(SDError) in
      try v[0].splitHeads(3)
    }
    expectReject(x.type, sentence: "cannot merge the heads of f32[2, 3, 4]") { (v) throws(SDError) in
      try v[0].mergeHeads()
    }
  }

  @Test func flops() throws {
    let graph = try makeGraph([
      TensorType(.f32, [2, 5, 8]), TensorType(.f32, [2, 7, 8]), TensorType(.f32, [2, 7, 4]),
    ]) {
      (v) throws(SDError) in try v[0].attention(v[1], v[2], heads: 2, scale: 1)
    }
    #expect(graph.flops == 2 * 2 * 5 * 7 * 8 + 2 * 2 * 5 * 7 * 4)
  }
}
