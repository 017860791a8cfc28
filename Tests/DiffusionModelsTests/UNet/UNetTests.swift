import DiffusionModels
import GraphIR
import GraphRuntime
import Testing

/// Counts of published models are those of diffusers' classes built from the published configurations.
struct UNetTests {
  private func declare(_ architecture: Architecture, _ entry: UNetEntry = .general) throws -> Graph {
    let model = try ModelDescription(architecture)
    let size = try #require(model.unet.sampleSize)
    return try declareUNet(model.unet, entry: entry, batch: 1, height: size[0], width: size[1])
  }

  /// A U-Net of two levels that the interpreter evaluates in no time.
  private var small: UNetConfiguration {
    get throws {
      let members: JSON = [
        "block_out_channels": [4, 8], "norm_num_groups": 2, "layers_per_block": 1, "cross_attention_dim": 6,
        "attention_head_dim": 2, "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
      ]
      return try UNetConfiguration(JSON.Config(members, file: "unet/config.json"))
    }
  }

  @Test(arguments: [(Architecture.sd15, 859_520_964), (.sd21, 865_910_724)])
  func parameters(architecture: Architecture, elements: Int) throws {
    let graph = try declare(architecture)
    let names = graph.parameters.map(\.parameter.name)
    #expect(names.count == 686)
    #expect(Set(names).count == names.count)
    #expect(graph.parameterElements == elements)
  }

  @Test func parameterShapes() throws {
    let sd15 = try declare(.sd15)
    let inputs = (0..<4).map { block in
      (0..<3).map { sd15.parameterShape("up_blocks.\(block).resnets.\($0).conv1.weight")?[1] }
    }
    #expect(inputs == [[2560, 2560, 2560], [2560, 2560, 1920], [1920, 1280, 960], [960, 640, 640]])
    let block = "down_blocks.1.attentions.0.transformer_blocks.0"
    #expect(sd15.parameterShape("time_embedding.linear_1.weight") == [1280, 320])
    #expect(sd15.parameterShape("down_blocks.1.attentions.0.proj_in.weight") == [640, 640, 1, 1])
    #expect(sd15.parameterShape("\(block).attn2.to_k.weight") == [640, 768])
    #expect(sd15.parameterShape("\(block).attn2.to_k.bias") == nil)
    #expect(sd15.parameterShape("\(block).ff.net.0.proj.weight") == [5120, 640])
    #expect(sd15.parameterShape("up_blocks.3.upsamplers.0.conv.weight") == nil)
    #expect(try declare(.sd21).parameterShape("down_blocks.1.attentions.0.proj_in.weight") == [640, 640])
  }

  @Test func opsOfSD15() throws {
    let graph = try declare(.sd15)
    let counts = graph.opCounts()
    #expect(counts["sd.softmax"] == 32)
    #expect(counts["sd.group_norm"] == 61)
    #expect(graph.count(GroupNorm.self, before: SiLU.self) == 45)
    #expect(counts["sd.layer_norm"] == 48)
    #expect(counts["sd.gelu"] == 16)
    #expect(graph.opCounts(at: .prompt)["sd.matmul"] == 32)
    #expect(graph.opCounts(at: .schedule)["sd.matmul"] == 24)
    #expect(graph.opCounts(at: .constant).keys.sorted() == ["sd.constant", "sd.parameter"])
    // Fused ops are for passes to make.
    for op in ["sd.attention", "sd.channel_statistics", "sd.normalize", "sd.fused_conv"] {
      #expect(counts[op] == nil)
    }
  }

  @Test func locations() throws {
    let graph = try declare(.sd15)
    let norm = try #require(graph.nodes.first { $0.op is GroupNorm })
    #expect(norm.location == "unet.down_blocks.0.resnets.0.norm1")
    let softmax = try #require(graph.nodes.first { $0.op is Softmax })
    #expect(softmax.location == "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1")
    let upsample = try #require(graph.nodes.first { $0.op is UpsampleNearest })
    #expect(upsample.location == "unet.up_blocks.0.upsamplers.0")
  }

  @Test func guidedEntry() throws {
    let model = try ModelDescription(.sd15)
    let graph = try declareUNet(
      model.unet, entry: .guided, batch: 2, height: 64, width: 64, tokens: 77, scheduleRows: 20)
    let inputs = graph.inputs.map { "\($0.input.name) \($0.input.type) \($0.input.rate)" }
    #expect(
      inputs == [
        "sample f32[2, 64, 64, 4] step", "timesteps f32[20] schedule", "index i32[1] step",
        "encoder_hidden_states f32[4, 77, 768] prompt",
      ])
    #expect(graph.outputShape("out") == [4, 64, 64, 4])
  }

  @Test func unguidedEntry() throws {
    let graph = try declareUNet(small, entry: .unguided, batch: 2, height: 3, width: 5, tokens: 4, scheduleRows: 3)
    let inputs = graph.inputs.map { "\($0.input.name) \($0.input.type) \($0.input.rate)" }
    #expect(
      inputs == [
        "sample f32[2, 3, 5, 4] step", "timesteps f32[3] schedule", "index i32[1] step",
        "encoder_hidden_states f32[2, 4, 6] prompt",
      ])
    #expect(graph.outputShape("out") == [2, 3, 5, 4])
  }

  @Test(arguments: [(9, 7), (1, 1), (2, 1), (64, 65), (15, 8)])
  func anySize(height: Int, width: Int) throws {
    let unet = try ModelDescription(.sd15).unet
    let graph = try declareUNet(unet, entry: .general, batch: 3, height: height, width: width, tokens: 5)
    #expect(graph.outputShape("out") == [3, height, width, 4])
  }

  @Test func scheduledRowsEqualGeneralRows() throws {
    let guided = try declareUNet(
      small, entry: .guided, batch: 2, height: 3, width: 5, tokens: 4, scheduleRows: 3)
    let unguided = try declareUNet(
      small, entry: .unguided, batch: 2, height: 3, width: 5, tokens: 4, scheduleRows: 3)
    let general = try declareUNet(small, entry: .general, batch: 4, height: 3, width: 5, tokens: 4)
    let sample = (0..<120).map { Float($0 * 37 % 41) / 20 - 1 }
    let context = Tensor([4, 4, 6], (0..<96).map { Float($0 * 29 % 31) / 15 - 1 })
    var inputs = [
      "sample": Tensor([2, 3, 5, 4], sample), "timesteps": Tensor([3], [981, 481, 1]),
      "index": Tensor(TensorType(.i32, [1]), [1]), "encoder_hidden_states": context,
    ]
    let a = try Interpreter().run(guided, inputs: inputs, parameters: Graph.weights)
    inputs["encoder_hidden_states"] = Tensor([2, 4, 6], Array(context.values.suffix(48)))
    let prompts = try Interpreter().run(unguided, inputs: inputs, parameters: Graph.weights)
    let b = try Interpreter().run(
      general,
      inputs: [
        "sample": Tensor([4, 3, 5, 4], sample + sample), "timestep": Tensor([4], [481, 481, 481, 481]),
        "encoder_hidden_states": context,
      ], parameters: Graph.weights)
    let rows = try #require(a["out"]?.values)
    #expect(rows == b["out"]?.values)
    #expect(rows.prefix(120) != rows.suffix(120))
    #expect(prompts["out"]?.values == Array(rows.suffix(120)))
  }

  @Test func everyRowHasItsTimestep() throws {
    let graph = try declareUNet(small, entry: .general, batch: 2, height: 2, width: 2, tokens: 1)
    func run(_ timesteps: [Float]) throws -> [Float] {
      try Interpreter().run(
        graph,
        inputs: [
          "sample": Tensor([2, 2, 2, 4], (0..<32).map { Float($0 % 16) / 8 - 1 }),
          "timestep": Tensor([2], timesteps),
          "encoder_hidden_states": Tensor([2, 1, 6], (0..<12).map { Float($0 % 6) }),
        ], parameters: Graph.weights)["out"]?.values ?? []
    }
    let (same, other) = (try run([7, 7]), try run([7, 500]))
    #expect(same.prefix(16) == same.suffix(16))
    #expect(same.prefix(16) == other.prefix(16))
    #expect(same.suffix(16) != other.suffix(16))
  }

  @Test func sizesMustBePositive() throws {
    let unet = try ModelDescription(.sd15).unet
    #expect(throws: SDError(.usage, "unet: width must be at least 1, it is 0")) {
      try declareUNet(unet, entry: .general, batch: 1, height: 8, width: 0)
    }
    #expect(throws: SDError(.usage, "unet: schedule rows must be at least 1, it is -1")) {
      try declareUNet(unet, entry: .guided, batch: 1, height: 8, width: 8, scheduleRows: -1)
    }
  }
}
