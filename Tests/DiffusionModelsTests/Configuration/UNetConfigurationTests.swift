import DiffusionModels
import GraphIR
import GraphRuntime
import TestSupport
import Testing

struct UNetConfigurationTests {
  /// Reads a file of these members.
  private func read(_ members: JSON) throws -> UNetConfiguration {
    try UNetConfiguration(JSON.Config(members, file: "unet/config.json"))
  }

  /// A block in a line: channels × residual blocks, heads and layers of its transformers.
  private func line(_ block: UNetConfiguration.Block) -> String {
    "\(block.channels) × \(block.resnets)" + (block.transformer.map { ", \(line($0))" } ?? "")
  }

  private func line(_ transformer: UNetConfiguration.Transformer) -> String {
    "\(transformer.heads) heads \(transformer.layers)"
  }

  private func line(_ mid: UNetConfiguration.MidBlock) -> String? {
    if case .transformer(let transformer) = mid { line(transformer) } else { nil }
  }

  private func failure(_ members: JSON) -> SDError? {
    TestSupport.failure { try read(members) }
  }

  @Test func defaultsAreThoseOfTheClass() throws {
    let configuration = try read([:])
    #expect(configuration.downBlocks.map(\.channels) == [320, 640, 1280, 1280])
    #expect(configuration.upBlocks.map(\.channels) == [1280, 1280, 640, 320])
    #expect(configuration.downBlocks.map(\.resnets) == [2, 2, 2, 2])
    #expect(configuration.upBlocks.map(\.resnets) == [3, 3, 3, 3])
    #expect(configuration.downBlocks.map(\.transformer?.heads) == [8, 8, 8, nil])
    #expect(configuration.upBlocks.map(\.transformer?.heads) == [nil, 8, 8, 8])
    #expect(line(configuration.midBlock) == "8 heads [1]")
    #expect(configuration.crossAttentionDim == 1280)
    #expect(configuration.timeEmbedDim == 1280)
    #expect(configuration.downsamplingFactor == 8)
    #expect(configuration.sampleSize == nil)
  }

  @Test func nullIsTheDefaultButForTheMidBlock() throws {
    let configuration = try read([
      "num_attention_heads": .null, "transformer_layers_per_block": .null, "class_embed_type": .null,
      "mid_block_type": .null,
    ])
    #expect(configuration.midBlock == .absent)
    #expect(configuration.downBlocks == (try read([:])).downBlocks)
  }

  @Test func listsGoUpInReverse() throws {
    let configuration = try read([
      "block_out_channels": [64, 128, 192], "layers_per_block": [1, 2, 3],
      "attention_head_dim": [2, 4, 6], "transformer_layers_per_block": [1, 2, 10],
      "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
      "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"], "sample_size": [96, 64],
    ])
    #expect(
      configuration.downBlocks.map(line) == [
        "64 × 1", "128 × 2, 4 heads [2, 2]", "192 × 3, 6 heads [10, 10, 10]",
      ])
    #expect(line(configuration.midBlock) == "6 heads [10]")
    #expect(
      configuration.upBlocks.map(line) == [
        "192 × 4, 6 heads [10, 10, 10, 10]", "128 × 3, 4 heads [2, 2, 2]", "64 × 2",
      ])
    #expect(configuration.sampleSize == [96, 64])
  }

  @Test func layersOfEveryResidualBlock() throws {
    let members: JSON = [
      "block_out_channels": [64, 128], "layers_per_block": 1, "transformer_layers_per_block": [[0], 2],
      "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
      "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
      "reverse_transformer_layers_per_block": [[1, 2], 3],
    ]
    let configuration = try read(members)
    #expect(configuration.downBlocks.map(\.transformer?.layers) == [[0], [2]])
    #expect(configuration.upBlocks.map(\.transformer?.layers) == [[1, 2], [3, 3]])
  }

  @Test(
    arguments: [
      (
        ["resnet_time_scale_shift": "scale_shift"],
        "\"resnet_time_scale_shift\" is \"scale_shift\", supported is \"default\""
      ),
      (["class_embed_type": "timestep"], "\"class_embed_type\" is \"timestep\", supported is null"),
      (["addition_embed_type": "text_time"], "\"addition_embed_type\" is \"text_time\", supported is null"),
      (["time_cond_proj_dim": 256], "\"time_cond_proj_dim\" is 256, supported is null"),
      (["encoder_hid_dim_type": "text_proj"], "\"encoder_hid_dim_type\" is \"text_proj\", supported is null"),
      (["dual_cross_attention": true], "\"dual_cross_attention\" is true, supported is false"),
      (
        ["only_cross_attention": [false, true]],
        "\"only_cross_attention\" is [false,true], supported is false"
      ),
      (
        ["time_embedding_type": "fourier"],
        "\"time_embedding_type\" is \"fourier\", supported is \"positional\""
      ),
      (["attention_type": "gated"], "\"attention_type\" is \"gated\", supported is \"default\""),
      (
        ["_class_name": "UNet2DModel"],
        "\"_class_name\" is \"UNet2DModel\", supported is \"UNet2DConditionModel\""
      ),
      (["act_fn": "mish"], "\"act_fn\" names \"mish\", supported are \"silu\", \"swish\", \"gelu\""),
      (
        ["mid_block_type": "UNetMidBlock2DSimpleCrossAttn"],
        "\"mid_block_type\" names \"UNetMidBlock2DSimpleCrossAttn\", supported are \"UNetMidBlock2DCrossAttn\", "
          + "\"UNetMidBlock2D\""
      ),
      (
        ["down_block_types": ["DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"]],
        "\"down_block_types\" names \"AttnDownBlock2D\", supported are \"CrossAttnDownBlock2D\", \"DownBlock2D\""
      ),
      (["conv_in_kernel": 4], "\"conv_in_kernel\" is 4, supported are odd sizes"),
    ] as [(JSON, String)])
  func optionsThatAreNotImplemented(members: JSON, message: String) {
    #expect(failure(members) == SDError(.incompatible, "unet/config.json: " + message))
  }

  @Test func onlyCrossAttentionMayBeAListOfFalse() throws {
    #expect(try read(["only_cross_attention": [false, false, false, false]]) == read([:]))
  }

  @Test(
    arguments: [
      (["in_channels": "four"], "\"in_channels\" must be an integer, it is \"four\""),
      (["in_channels": 0], "\"in_channels\" must be in 1 ... 65536, it is 0"),
      (["layers_per_block": 1000], "\"layers_per_block\" must be in 1 ... 64, it is 1000"),
      (["downsample_padding": 2], "\"downsample_padding\" must be in 0 ... 1, it is 2"),
      (["norm_eps": 0], "\"norm_eps\" must be positive, it is 0.0"),
      (["block_out_channels": []], "\"block_out_channels\" must have 1 to 16 levels, it has 0"),
      (
        ["block_out_channels": [320, 640]],
        "\"down_block_types\" has 4 entries, \"block_out_channels\" has 2"
      ),
      (["up_block_types": ["UpBlock2D"]], "\"up_block_types\" has 1 entries, \"block_out_channels\" has 4"),
      (
        ["norm_num_groups": 48],
        "\"block_out_channels\" has 320, which \"norm_num_groups\" (48) does not divide"
      ),
      (
        ["attention_head_dim": [5, 10, 20, 3]],
        "\"attention_head_dim\" has 3 heads, which do not divide 1280 channels"
      ),
      (["num_attention_heads": 7], "\"num_attention_heads\" has 7 heads, which do not divide 320 channels"),
      (
        ["attention_head_dim": [8, 8]],
        "\"attention_head_dim\" must be an integer or an array of 4 integers, it is [8,8]"
      ),
      (
        ["transformer_layers_per_block": [1, 2, 3]],
        "\"transformer_layers_per_block\" must have 4 entries of 0 ... 64, "
          + "integers or lists of one a residual block"
      ),
      (
        ["transformer_layers_per_block": [[1, 2], 1, 1, 1]],
        "\"reverse_transformer_layers_per_block\" is missing, "
          + "lists within \"transformer_layers_per_block\" need it"
      ),
      (
        ["cross_attention_dim": [768, 768, 1024, 1024]],
        "\"cross_attention_dim\" must be the same at every level, for all read one encoder_hidden_states"
      ),
      (
        ["freq_shift": 160],
        "\"block_out_channels\" starts with 320, which must be even and its half above \"freq_shift\" (160.0)"
      ),
    ] as [(JSON, String)])
  func invalidValues(members: JSON, message: String) {
    #expect(failure(members) == SDError(.invalid, "unet/config.json: " + message))
  }
}
