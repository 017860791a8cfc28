import GraphIR
import TestSupport
import Testing

@Suite struct FusedConvTests {
  private let image = TensorType(.f32, [2, 4, 4, 3])
  private let weight = TensorType(.f32, [6, 3, 3, 3])

  private func apply(_ op: FusedConv) -> ([Value]) throws(SDError) -> Value {
    { (v) throws(SDError) in try v[0].builder.add(op, v) }
  }

  @Test func types() throws {
    let padded = FusedConv.Source(padding: Padding(1))
    #expect(
      try resultType(image, weight, build: apply(FusedConv(sources: [padded], dtype: .bf16)))
        == TensorType(.bf16, [2, 4, 4, 6]))
    let upsampled = FusedConv.Source(padding: Padding(1), upsample: [8, 8])
    #expect(
      try resultType(image, weight, build: apply(FusedConv(sources: [upsampled], epilogues: [.gate(.gelu)])))
        == TensorType(.f32, [2, 8, 8, 3]))
    #expect(
      try resultType(
        TensorType(.f16, [2, 7, 3]), TensorType(.f16, [5, 3]), build: apply(FusedConv(sources: [.init()])))
        == TensorType(.f32, [2, 7, 5]))
  }

  @Test func rejects() {
    expectReject(
      image, weight, sentence: "[sd.fused_conv] takes 3 operands, it has 2",
      build: apply(FusedConv(sources: [.init()], epilogues: [.bias])))
    expectReject(
      image, weight, sentence: "[sd.fused_conv] needs a source and a floating-point result",
      build: apply(FusedConv(sources: [.init()], dtype: .i32)))
    expectReject(
      image, weight, image, weight,
      sentence: "[sd.fused_conv] source 1 gives [2, 4, 4, 6], source 0 gives [2, 2, 2, 6] (C1)",
      build: apply(FusedConv(sources: [.init(), .init(padding: Padding(1))])))
    expectReject(
      image, TensorType(.f32, [6, 4]),
      sentence: "[sd.fused_conv] weight f32[6, 4] does not fit f32[2, 4, 4, 3] (C1)",
      build: apply(FusedConv(sources: [.init()])))
    expectReject(
      image, TensorType(.i32, [6, 3]),
      sentence: "[sd.fused_conv] weight i32[6, 3] does not fit f32[2, 4, 4, 3] (C1)",
      build: apply(FusedConv(sources: [.init()])))
    expectReject(
      image, weight, TensorType(.f32, [5]), sentence: "[sd.fused_conv] bias f32[5] must have 6 values (C2)",
      build: apply(FusedConv(sources: [.init()], epilogues: [.bias])))
    expectReject(
      image, weight, TensorType(.f32, [3, 6]),
      sentence: "[sd.fused_conv] row f32[3, 6] must be [1 or 2, 6] (C2)",
      build: apply(FusedConv(sources: [.init()], epilogues: [.row])))
    expectReject(
      TensorType(.f32, [3]), TensorType(.f32, [6, 3]), TensorType(.f32, [1, 6]),
      sentence: "[sd.fused_conv] row f32[1, 6] must be [1 or 6, 6] (C2)",
      build: apply(FusedConv(sources: [.init()], epilogues: [.row])))
    expectReject(
      image, weight, TensorType(.f32, [2, 2, 6]),
      sentence: "[sd.fused_conv] residual f32[2, 2, 6] must have shape [2, 2, 2, 6] (C2)",
      build: apply(FusedConv(sources: [.init()], epilogues: [.residual])))
    expectReject(
      image, TensorType(.f32, [5, 3, 3, 3]),
      sentence: "[sd.fused_conv] a gate needs an even number of columns, not 5 (C2)",
      build: apply(FusedConv(sources: [.init()], epilogues: [.gate(.silu)])))
    expectReject(
      image, weight, sentence: "[sd.fused_conv] upsample must be [height, width], it is [8]",
      build: apply(FusedConv(sources: [.init(upsample: [8])])))
    expectReject(
      image, weight, sentence: "[sd.upsample_nearest] cannot resize to \(Int.max)x1 (C1)",
      build: apply(FusedConv(sources: [.init(padding: Padding(1), upsample: [.max, 1])])))
  }

  /// Two convolutions, one over an upsampled image, and every epilogue, against the ops one by one.
  @Test func isItsParts() throws {
    let (x, w) = (Tensor.random([2, 4, 4, 3], seed: 1), Tensor.random([6, 3, 3, 3], seed: 2))
    let (small, skip) = (Tensor.random([2, 2, 2, 5], seed: 3), Tensor.random([6, 5, 1, 1], seed: 4))
    let (bias, row, residual) = (
      Tensor.random([6], seed: 5), Tensor.random([2, 6], seed: 6), Tensor.random([2, 4, 4, 6], seed: 7)
    )
    let op = FusedConv(
      sources: [.init(padding: Padding(1)), .init(upsample: [4, 4])],
      epilogues: [.bias, .row, .activation(.silu), .residual, .gate(.gelu)])
    let fused = try evaluate(x, w, small, skip, bias, row, residual, build: apply(op))
    let plain = try evaluate(x, w, small, skip, bias, row, residual) { (v) throws(SDError) in
      let second = try v[2].upsampleNearest(height: 4, width: 4).conv2d(v[3])
      let sum = try v[0].conv2d(v[1], v[4], padding: Padding(1)).adding(second).adding(
        v[5].reshaped([2, 1, 1, 6]))
      let result = try sum.silu().adding(v[6])
      return try result.sliced(0..<3).multiplied(by: result.sliced(3..<6).gelu())
    }
    expectClose(fused, plain)
    #expect(fused.shape == [2, 4, 4, 3])
  }

  @Test func matrixProduct() throws {
    let (x, w, bias) = (
      Tensor.random([2, 3, 4], seed: 1), Tensor.random([6, 4], seed: 2), Tensor.random([6], seed: 3)
    )
    let op = FusedConv(sources: [.init()], epilogues: [.bias])
    let plain = try evaluate(x, w, bias) { (v) throws(SDError) in
      try v[0].reshaped([6, 4]).linear(v[1], v[2]).reshaped([2, 3, 6])
    }
    expectClose(try evaluate(x, w, bias, build: apply(op)), plain)
  }

  @Test func flops() throws {
    let graph = try makeGraph([image, weight], apply(FusedConv(sources: [.init(padding: Padding(1))])))
    #expect(graph.flops == 2 * (2 * 4 * 4) * 6 * 3 * 3 * 3)
  }
}
