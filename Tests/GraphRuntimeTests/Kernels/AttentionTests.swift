import GraphIR
import GraphRuntime
import TestSupport
import Testing

@Suite struct AttentionKernelTests {
  private func check(heads: Int, d: Int, causal: Bool = false) -> OpCheck {
    var check = OpCheck(Attention(heads: heads, scale: 1 / Float(d).squareRoot(), causal: causal))
    // Scores in a range where the softmax prefers some keys.
    (check.ranges[0], check.ranges[1]) = (-3...3, -3...3)
    check.processors = CPU.checked
    return check
  }

  private func operands(_ dtype: DType, batch: Int = 2, queries: Int, keys: Int, width: Int) -> [TensorType] {
    [queries, keys, keys].map { TensorType(dtype, [batch, $0, width]) }
  }

  /// Self-attention of as many tokens as each size, and against the 77 tokens of a prompt.
  @Test(arguments: [4, 5, 12, 40, 64, 80, 160]) func headWidth(_ d: Int) throws {
    try check(heads: 3, d: d).run { size, dtype in operands(dtype, queries: size, keys: size, width: 3 * d) }
    try check(heads: 1, d: d).run { size, dtype in operands(dtype, queries: size, keys: 77, width: d) }
  }

  @Test(arguments: [4, 5, 12, 40, 64, 80, 160]) func causal(_ d: Int) throws {
    let check = check(heads: 2, d: d, causal: true)
    try check.run { size, dtype in operands(dtype, queries: size, keys: size, width: 2 * d) }
  }

  /// Several blocks of queries and of keys.
  @Test(arguments: [false, true], [DType.f32, .f16, .bf16]) func manyTokens(_ causal: Bool, _ dtype: DType)
    throws
  {
    for (d, tokens) in [(40, 700), (160, 530)] {
      try check(heads: 1, d: d, causal: causal)
        .run(operands: operands(dtype, batch: 1, queries: tokens, keys: tokens, width: d))
    }
    try check(heads: 2, d: 40).run(operands: operands(dtype, batch: 1, queries: 300, keys: 7, width: 80))
    try check(heads: 2, d: 40).run(operands: operands(dtype, batch: 1, queries: 3, keys: 1000, width: 80))
  }

  /// Scores far apart: one key takes all, and the sum must not overflow.
  @Test func largeScores() throws {
    var check = OpCheck(Attention(heads: 2, scale: 1))
    check.processors = CPU.checked
    (check.ranges[0], check.ranges[1]) = (-30...30, -30...30)
    for dtype in [DType.f32, .bf16] {
      try check.run(operands: operands(dtype, queries: 77, keys: dtype == .f32 ? 77 : 300, width: 80))
    }
  }

  /// Blocks of keys whose scores are known to be small among others whose largest must be found, in every order; and scores
  /// that are all far below or above 0, with values of any size.
  @Test(arguments: [1e-34, 1, 1e34] as [Float]) func blocksOfManySizes(_ size: Float) throws {
    let (width, keys, block) = (80, 1440, 480)
    let types = [70, keys, keys].map { TensorType(.bf16, [1, $0, width]) }
    let graph = try makeGraph(types) { (x) throws(SDError) in try x[0].attention(x[1], x[2], heads: 2, scale: 0.16) }
    let query = Tensor.random(types[0], seed: 1, in: 0.9...1.1)
    let value = Tensor.random(types[2], seed: 3, in: -size...size)
    for factors: [Float] in [[0.1, 40, 0.1], [40, 0.1, 40], [-5, 40, 5], [-6, 6, -6], [-6, -6, -6], [6, 6, 6]] {
      var key = Tensor.random(types[1], seed: 2, in: 0.5...1)
      for i in key.values.indices { key.values[i] *= factors[i / width / block] }
      let inputs = ["0": query, "1": key.cast(to: .bf16), "2": value]
      let wanted = try #require(Interpreter().run(graph, inputs: inputs)["out"])
      for cpu in CPU.checked {
        let device = CPUDevice(threads: 2, cpu: cpu)
        let result = try #require(TestSupport.run(graph, on: device, inputs, fill: { _ in })["out"])
        let values = [result, wanted].map { $0.values.map { $0 / size } }
        #expect(nmse(values[0], values[1]) < 2e-5, "\(factors), \(cpu.level)")
      }
    }
  }

  /// The largest score is the one with the smallest product, or all are 0.
  @Test(arguments: [false, true], [-0.5, 0] as [Float]) func unusualScale(_ causal: Bool, _ scale: Float) throws {
    var check = OpCheck(Attention(heads: 2, scale: scale, causal: causal))
    check.processors = CPU.checked
    for dtype in [DType.f32, .f16, .bf16] {
      try check.run(operands: operands(dtype, queries: 77, keys: 77, width: 80))
    }
  }

  /// Queries in 16 bits, keys and values that a prompt graph keeps in float32.
  @Test func mixedTypes() throws {
    let types = [
      TensorType(.bf16, [2, 17, 80]), TensorType(.f32, [2, 77, 80]), TensorType(.f16, [2, 77, 80]),
    ]
    try check(heads: 2, d: 40).run(operands: types)
  }
}
