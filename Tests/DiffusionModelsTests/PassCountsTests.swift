import DiffusionModels
import GraphIR
import GraphPasses
import GraphRuntime
import Testing

/// What the pipeline makes of the models: counts for published architectures, numbers for a small one.
@Suite struct PassCountsTests {
  private func unet(_ architecture: Architecture, _ entry: UNetEntry, size: Int? = nil) throws -> Graph {
    let model = try ModelDescription(architecture)
    let height = try size ?? #require(model.unet.sampleSize)[0]
    return try declareUNet(model.unet, entry: entry, batch: 1, height: height, width: height)
  }

  private func compile(
    _ graph: Graph, _ precision: Precision = .fp32, without disabled: Set<String> = [], check: Bool = false
  ) throws -> OptimizedGraphs {
    var options = PassOptions()
    options.disabled = disabled
    options.check = check
    return try Pipeline(precision: precision, options: options).run(graph)
  }

  /// Checks that no plain form of a fused op is left, and that the step computes nothing that a lower rate could.
  private func expectFused(_ graphs: HoistedGraphs) {
    let plain = [
      "conv2d", "matmul", "softmax", "group_norm", "silu", "gelu", "quick_gelu", "multiply", "add",
      "upsample_nearest", "transpose",
    ]
    for (rate, graph) in graphs.all {
      for name in plain { #expect(graph.opCounts()["sd.\(name)"] == nil, "\(name) in \(graph.name)") }
      let rates = graph.rates()
      for (node, own) in zip(graph.nodes, rates) where own < rate {
        #expect(node.operands.isEmpty || node.op is Reshape || node.op is Slice, "\(node.location)")
      }
    }
  }

  @Test(arguments: [Precision.fp32, .bf16, .fp16]) func sd15(_ precision: Precision) throws {
    let result = try compile(unet(.sd15, .guided), precision)
    let (prompt, schedule, step) = (
      try #require(result.graphs.prompt), try #require(result.graphs.schedule), result.graphs.step
    )
    expectFused(result.graphs)
    #expect(step.opCounts()["sd.attention"] == 32)
    // Those of skip connections come in pieces, one a tensor.
    let normalizations = step.nodes.flatMap { node in
      let conv = node.op as? FusedConv ?? (node.op as? FusedConvStatistics)?.conv
      return conv?.sources.compactMap(\.normalize) ?? [node.op as? Normalize].compactMap(\.self)
    }.filter { $0.first == 0 }
    #expect(normalizations.count == 61 && normalizations.count { $0.activation == .silu } == 45)
    // Every image that is normalized is the result of a convolution: of both halves, once the prefix is no longer shared.
    #expect(step.opCounts()["sd.fused_conv_statistics"] == 64 && step.opCounts()["sd.channel_statistics"] == nil)
    // Three in each of 16 transformer blocks and one before it: all that no activation follows.
    #expect(step.opCounts()["sd.normalize"] == 16)
    #expect(step.normsWithoutAffine == [48, 16] && step.opCounts()["sd.layer_norm"] == 48)
    let feedForwards = step.nodes.compactMap { $0.op as? FusedFeedForward }
    #expect(feedForwards.count { $0.hidden.epilogues.contains(.gate(.gelu)) } == 16)
    // All keys and values are one product; so are all projections of the time embedding, behind its two layers.
    #expect(prompt.opCounts()["sd.fused_conv"] == 1 && prompt.outputs.count == 1)
    #expect(schedule.opCounts()["sd.fused_conv"] == 3 && schedule.outputs.count == 1)
    #expect(prompt.type(of: prompt.outputs[0].value) == TensorType(precision.dtype, [2, 77, 24960]))
    #expect(schedule.type(of: schedule.outputs[0].value) == TensorType(.f32, [16, 20160]))
    #expect(step.opCounts()["sd.select_row"] == 1 && step.opCounts()["sd.cast"] ?? 0 <= 1)
    // Of statistics, a skip connection each, and of the halves behind the shared prefix.
    #expect(step.opCounts()["sd.concat"] == 17)
    // 14 shortcuts are part of the convolution to which they are added.
    #expect(result.report.hoisted.work.map(\.products) == [1, 3, 180])
    if precision == .fp32 { #expect(step.flops == 1_483_331_993_600) }
  }

  /// What each pass takes off a step of 1,606.5 GFLOP, and that it is what theory says.
  @Test func savings() throws {
    let graph = try unet(.sd15, .guided)
    let entries = try compile(graph).report.entries
    for entry in entries { #expect(entry.predicted == nil || entry.predicted == entry.got, "\(entry.pass)") }
    let saved = { (pass: String) in entries.reduce(0) { $0 + ($1.pass == pass ? $1.got.flops : 0) } }
    let percent = { (flops: Int) in (Double(flops) / Double(graph.flops) * 1000).rounded() / 10 }
    #expect((Double(graph.flops) / 1e8).rounded() == 16065)
    #expect(percent(saved("phase-conv")) == 4.7 && percent(saved("share-prefix")) == 2.6)
  }

  @Test func sd15WithoutMergedProjections() throws {
    let result = try compile(unet(.sd15, .guided, size: 16), without: ["merge-projections"])
    expectFused(result.graphs)
    #expect(result.graphs.step.normsWithoutAffine == [48, 16])
    #expect(result.graphs.prompt?.opCounts()["sd.fused_conv"] == 32)
    #expect(result.graphs.schedule?.opCounts()["sd.fused_conv"] == 24)
  }

  @Test func sd15General() throws {
    let result = try compile(unet(.sd15, .general, size: 16), .bf16)
    expectFused(result.graphs)
    #expect(result.graphs.schedule?.opCounts()["sd.fused_conv"] == 3)
    #expect(result.graphs.step.opCounts()["sd.select_row"] == nil)
  }

  @Test func sd21() throws {
    let result = try compile(unet(.sd21, .guided, size: 16), .bf16)
    expectFused(result.graphs)
    #expect(result.graphs.step.opCounts()["sd.attention"] == 32)
    #expect(result.graphs.step.normsWithoutAffine == [48, 16])
  }

  @Test func hoistMovesTheWorkAndNothingElse() throws {
    let graph = try unet(.sd15, .guided, size: 16)
    let (cut, whole) = (try compile(graph).graphs, try compile(graph, without: ["hoist"]).graphs)
    #expect(whole.prompt == nil && whole.schedule == nil)
    #expect(cut.all.reduce(0) { $0 + $1.graph.flops } == whole.step.flops)
    #expect(cut.step.flops < whole.step.flops)
  }

  @Test func weightsHaveTheSameNamesAtEverySize() throws {
    let names = try [16, 24].flatMap { size in
      try UNetEntry.allCases.map { try compile(unet(.sd15, $0, size: size), .bf16).weights.map(\.name) }
    }
    #expect(names[0] == names[2] && names[1] == names[3])
    #expect(names[0] == names[1])
    #expect(Set(names[0]).count == names[0].count)
  }

  @Test(arguments: Architecture.allCases) func otherComponents(_ architecture: Architecture) throws {
    let model = try ModelDescription(architecture)
    let text = try compile(declareTextEncoder(model.textEncoder, batch: 1), .bf16)
    #expect(text.graphs.prompt == nil && text.graphs.schedule == nil)
    let layers = architecture == .sd15 ? 12 : 23
    #expect(text.graphs.step.opCounts()["sd.attention"] == layers)
    #expect(text.graphs.step.opCounts()["sd.fused_conv"] == 4 * layers)
    // All but the last one, which is the result.
    #expect(text.graphs.step.normsWithoutAffine == [2 * layers, 0])
    // Token plus position.
    #expect(text.graphs.step.opCounts()["sd.add"] == 1)
    for vae in [
      try declareVAEDecoder(model.vae, batch: 1, height: 8, width: 8),
      try declareVAEEncoder(model.vae, batch: 1, height: 64, width: 64),
    ] {
      let result = try compile(vae, .bf16)
      expectFused(result.graphs)
      #expect(result.graphs.step.opCounts()["sd.attention"] == 1)
      #expect(result.graphs.step.normsWithoutAffine == [0, 1])
    }
  }

  /// Every pass is checked against the interpreter.
  @Test(arguments: [Precision.fp32, .bf16, .fp16], UNetEntry.allCases)
  func smallUNet(_ precision: Precision, _ entry: UNetEntry) throws {
    let members: JSON = [
      "block_out_channels": [4, 8], "norm_num_groups": 2, "layers_per_block": 1, "cross_attention_dim": 6,
      "attention_head_dim": 2, "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
      "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
    ]
    let configuration = try UNetConfiguration(JSON.Config(members, file: "unet/config.json"))
    let graph = try declareUNet(configuration, entry: entry, batch: 2, height: 6, width: 5, tokens: 7)
    expectFused(try compile(graph, precision, check: true).graphs)
  }
}

extension Graph {
  /// How many normalizations of rows and of groups of channels have neither scale nor shift.
  fileprivate var normsWithoutAffine: [Int] {
    [
      nodes.count { $0.op is LayerNorm && $0.operands.count == 1 },
      nodes.count { $0.op is Normalize && $0.operands.count == 2 },
    ]
  }
}
