import GraphIR
import GraphPasses
import Testing

@Suite(.serialized) struct ChoosePrecisionTests {
  /// A residual block in miniature: normalization, convolution with a time embedding, residual.
  static func block(rate: Rate) throws -> Graph {
    try makeGraph { b in
      let x = try b.x([2, 4, 4, 4], rate: rate)
      let time = try b.x([2], "t", rate: .schedule).timestepEmbedding(4).linear(b.parameter("t", [4, 4]))
      let norm = try x.groupNorm(b.parameter("g", [4]), b.parameter("h", [4]), groups: 2).silu()
      let conv = try norm.conv2d(b.parameter("w", [4, 4, 3, 3]), b.parameter("b", [4]), padding: Padding(1))
      let sum = try x.adding(conv.adding(time.reshaped([2, 1, 1, 4])))
      return try sum.conv2d(b.parameter("v", [3, 4, 1, 1]))
    }
  }

  static func compile(_ graph: Graph, _ precision: Precision) throws -> Graph {
    try apply(FuseGroupNormSiLU(), FuseConv(), Simplify(), ChoosePrecision(precision), to: graph)
  }

  /// The types of the results of an op, in order.
  static func types(_ name: String, _ graph: Graph) -> [DType] {
    graph.nodes.filter { type(of: $0.op).id.description == "sd.\(name)" }.map { $0.types[0].dtype }
  }

  @Test(arguments: [(Precision.bf16, DType.bf16), (.fp16, .f16)])
  func stepsAreStoredIn16Bits(_ precision: Precision, _ low: DType) throws {
    let graph = try ChoosePrecisionTests.compile(ChoosePrecisionTests.block(rate: .step), precision)
    #expect(ChoosePrecisionTests.types("channel_statistics", graph) == [.f32])
    #expect(ChoosePrecisionTests.types("normalize", graph) == [low])
    // The time embedding, the convolution with its residual, the output.
    #expect(ChoosePrecisionTests.types("fused_conv", graph) == [.f32, low, .f32])
    for node in graph.nodes {
      guard let conv = node.op as? FusedConv else { continue }
      for operand in node.operands.prefix(2 * conv.sources.count) {
        #expect(graph.type(of: operand).dtype == low)
      }
    }
    #expect(graph.inputs.allSatisfy { $0.input.type.dtype == .f32 })
    #expect(graph.outputs.map { graph.type(of: $0.value) } == [TensorType(.f32, [2, 4, 4, 3])])
  }

  @Test func lowerRatesKeepTheirResidualsInFloat32() throws {
    let graph = try ChoosePrecisionTests.compile(ChoosePrecisionTests.block(rate: .prompt), .bf16)
    #expect(ChoosePrecisionTests.types("normalize", graph) == [.f32])
    // The sum is read by a product alone, so it is rounded where it is stored.
    #expect(ChoosePrecisionTests.types("fused_conv", graph) == [.f32, .bf16, .f32])
  }

  @Test func float32ChangesNothing() throws {
    try expectUnchanged(ChoosePrecisionTests.block(rate: .step), by: ChoosePrecision(.fp32))
  }

  @Test func attentionStaysInTheStreamOfItsQueries() throws {
    for (rate, stored) in [(Rate.step, DType.bf16), (.prompt, .f32)] {
      let graph = try apply(
        FuseAttention(), MergeProjections(), FuseConv(), Simplify(), ChoosePrecision(.bf16),
        to: makeGraph { b in
          let x = try b.x([1, 4, 8], rate: rate)
          let (q, k) = (try x.linear(b.parameter("q", [8, 8])), try x.linear(b.parameter("k", [8, 8])))
          let attended = try FuseAttentionTests.plain(q, k, k, heads: 2, scale: 0.5)
          return try attended.linear(b.parameter("o", [8, 8])).adding(x).layerNorm(
            b.parameter("g", [8]), b.parameter("h", [8]))
        })
      #expect(ChoosePrecisionTests.types("attention", graph) == [.bf16])
      // Projections round once, to what attention reads; the residual stream is stored as it came in.
      #expect(ChoosePrecisionTests.types("fused_conv", graph) == [.bf16, stored])
      #expect(ChoosePrecisionTests.types("layer_norm", graph) == [stored])
    }
  }

  @Test func hoistedTablesAreCastOnce() throws {
    let graph = try apply(
      ChoosePrecision(.bf16),
      to: makeGraph { b in
        let keys = try b.x([1, 6, 8], "keys", rate: .prompt).silu()
        let x = try b.x([1, 3, 4])
        let first = try x.attention(keys.sliced(0..<4), keys.sliced(4..<8), heads: 1, scale: 1)
        return try first.attention(keys.sliced(4..<8), keys.sliced(0..<4), heads: 1, scale: 1)
      })
    let parts = try Hoist().run(graph)
    #expect(parts.prompt?.outputs.count == 1)
    #expect(parts.step.inputs.first { $0.input.rate == .prompt }?.input.type == TensorType(.bf16, [1, 6, 8]))
  }

  @Test func otherOpsGetFloat32() throws {
    let graph = try apply(
      ChoosePrecision(.bf16), to: makeGraph { b in try b.x([2, 4]).silu().softmax().exp() })
    #expect(ChoosePrecisionTests.types("silu", graph) == [.bf16])
    #expect(ChoosePrecisionTests.types("softmax", graph) == [.f32])
    #expect(ChoosePrecisionTests.types("exp", graph) == [.f32])
  }

  @Test func constantsInFrontFollowTheActivation() throws {
    let graph = try apply(
      ChoosePrecision(.bf16), to: makeGraph { b in try b.parameter("w", [4]).adding(b.x([2, 4])).silu() })
    #expect(ChoosePrecisionTests.types("silu", graph) == [.bf16])
  }
}
