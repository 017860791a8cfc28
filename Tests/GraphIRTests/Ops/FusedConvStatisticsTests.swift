import GraphIR
import TestSupport
import Testing

@Suite struct FusedConvStatisticsTests {
  private let image = TensorType(.f32, [2, 4, 6, 3])
  private let weight = TensorType(.f32, [5, 3, 3, 3])
  private let conv = FusedConv(sources: [.init(padding: Padding(1))])

  private func results(_ op: FusedConvStatistics, _ types: [TensorType]) throws(SDError) -> [TensorType] {
    try op.types(of: types)
  }

  @Test func types() throws {
    let op = FusedConvStatistics(conv: conv, parts: 3)
    #expect(
      try results(op, [image, weight]) == [TensorType(.f32, [2, 4, 6, 5]), TensorType(.f32, [3, 2, 5, 2])])
    #expect(op.flops(operands: [image, weight], results: try results(op, [image, weight])) == 2 * 48 * 5 * 27)
  }

  @Test func rejects() {
    func reject(_ op: FusedConvStatistics, _ types: [TensorType], _ sentence: String) {
      expectError(.invalid, sentence) { try results(op, types) }
    }
    reject(
      FusedConvStatistics(conv: conv, parts: 5), [image, weight],
      "[sd.fused_conv_statistics] parts (5) must divide the pixels of f32[2, 4, 6, 5], into at most 4096 each (C2)")
    reject(
      FusedConvStatistics(conv: conv, parts: 1), [TensorType(.f32, [1, 64, 65, 3]), weight],
      "[sd.fused_conv_statistics] parts (1) must divide the pixels of f32[1, 64, 65, 5], into at most 4096 each (C2)")
    reject(
      FusedConvStatistics(conv: FusedConv(sources: [.init()], epilogues: [.gate(.gelu)]), parts: 1),
      [image, TensorType(.f32, [4, 3])],
      "[sd.fused_conv_statistics] the statistics of a convolution with a gate are not its own (C1)")
    reject(
      FusedConvStatistics(conv: conv, parts: 0), [image, weight],
      "[sd.channel_statistics] parts (0) must be in 1 ... 24 for f32[2, 4, 6, 5] (C1)")
  }

  @Test func isItsParts() throws {
    let (x, w) = (Tensor.random(image.shape, seed: 1), Tensor.random(weight.shape, seed: 2))
    let op = FusedConvStatistics(conv: conv, parts: 4)
    let statistics = try evaluate(x, w) { (v) throws(SDError) in try v[0].builder.results(of: op, v)[1] }
    let plain = try evaluate(x, w) { (v) throws(SDError) in
      try v[0].conv2d(v[1], padding: Padding(1)).channelStatistics(parts: 4)
    }
    expectClose(statistics, plain)
  }

  /// What comes off first: the normalization where statistics have a kernel then, or nothing has one; the statistics where
  /// only the normalizing convolution has.
  @Test func splits() throws {
    var conv = conv
    conv.sources[0].normalize = Normalize(groups: 3, eps: 1e-5)
    let op = FusedConvStatistics(conv: conv, parts: 4)
    func names(_ op: FusedConvStatistics, kernels: [any Op.Type]) throws -> [String] {
      let builder = GraphBuilder(name: "g")
      var values = [try builder.input("x", image), try builder.parameter("w", weight.shape)]
      if op.conv.sources[0].normalize != nil {
        values += [
          try builder.input("s", TensorType(.f32, [1, 2, 3, 2])), try builder.parameter("g", [3]),
          try builder.parameter("b", [3]),
        ]
      }
      let results = try #require(
        try op.split(values, hasKernel: { op, _ in kernels.contains { $0.id == type(of: op).id } }))
      #expect(results.map(\.type) == (try op.types(of: values.map(\.type))))
      for (index, result) in results.enumerated() { try builder.output("\(index)", result) }
      return builder.graph.nodes.map { "\(type(of: $0.op).id)" }.filter { $0 != "sd.input" && $0 != "sd.parameter" }
    }
    let normalizationOff = ["sd.normalize", "sd.fused_conv_statistics"]
    #expect(try names(op, kernels: [FusedConv.self]) == ["sd.fused_conv", "sd.channel_statistics"])
    #expect(try names(op, kernels: []) == normalizationOff)
    #expect(try names(op, kernels: [FusedConvStatistics.self]) == normalizationOff)
    #expect(try names(op, kernels: [FusedConv.self, FusedConvStatistics.self]) == normalizationOff)
    let plain = FusedConvStatistics(conv: self.conv, parts: 4)
    #expect(try names(plain, kernels: []) == ["sd.fused_conv", "sd.channel_statistics"])
  }
}
