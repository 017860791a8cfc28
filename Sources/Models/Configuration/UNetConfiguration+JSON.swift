package import GraphIR
package import GraphRuntime

extension UNetConfiguration {
  /// Reads `unet/config.json`; keys that old files lack take the defaults of diffusers' class.
  ///
  /// Keys of block types that are not supported (`resnet_out_scale_factor`, `resnet_skip_time_act`,
  /// `cross_attention_norm`, `mid_block_only_cross_attention`) have no effect on those that are, and
  /// `upcast_attention` has none on float32 scores; none of them is read.
  ///
  /// - Throws: `.invalid` for a value of the wrong kind or sizes that do not fit together, `.incompatible` for an
  ///   option that changes the result and is not implemented.
  package init(_ file: JSON.Config) throws(SDError) {
    try Self.refuseUnsupported(file)
    normNumGroups = try file.size("norm_num_groups", default: 32)
    let channels = try file.channels(
      "block_out_channels", default: [320, 640, 1280, 1280], groups: normNumGroups)
    let levels = try UNetLevels(file, channels: channels)
    downBlocks = levels.downBlocks
    midBlock = levels.midBlock
    upBlocks = levels.upBlocks

    inChannels = try file.size("in_channels", default: 4)
    outChannels = try file.size("out_channels", default: 4)
    sampleSize = file.has("sample_size") ? try file.sizes("sample_size", count: 2) : nil
    centerInputSample = try file.bool("center_input_sample", default: false)
    convInKernel = try Self.kernel("conv_in_kernel", file)
    convOutKernel = try Self.kernel("conv_out_kernel", file)

    timeEmbedDim = try file.size("time_embedding_dim", default: 4 * channels[0])
    flipSinToCos = try file.bool("flip_sin_to_cos", default: true)
    freqShift = try file.double("freq_shift", default: 0)
    guard channels[0] % 2 == 0, freqShift < Double(channels[0] / 2) else {
      throw file.invalid(
        "block_out_channels",
        "starts with \(channels[0]), which must be even and its half above \"freq_shift\" (\(freqShift))")
    }

    let widths = try file.sizes("cross_attention_dim", count: channels.count, default: 1280)
    guard Set(widths).count == 1 else {
      throw file.invalid(
        "cross_attention_dim", "must be the same at every level, for all read one encoder_hidden_states")
    }
    crossAttentionDim = widths[0]
    useLinearProjection = try file.bool("use_linear_projection", default: false)
    normEps = try file.positive("norm_eps", default: 1e-5)
    activation = try file.choice(
      "act_fn", default: "silu", ["silu": .silu, "swish": .silu, "gelu": .gelu])
    midBlockScaleFactor = try file.positive("mid_block_scale_factor", default: 1)
    downsamplePadding = try file.size("downsample_padding", default: 1, in: 0...1)
  }

  private static func refuseUnsupported(_ file: JSON.Config) throws(SDError) {
    try file.require("_class_name", isOneOf: "UNet2DConditionModel")
    try file.require("addition_embed_type", isOneOf: .null)
    try file.require("attention_type", isOneOf: "default")
    try file.require("class_embed_type", isOneOf: .null)
    try file.require("class_embeddings_concat", isOneOf: false)
    try file.require("dual_cross_attention", isOneOf: false)
    try file.require("encoder_hid_dim", isOneOf: .null)
    try file.require("encoder_hid_dim_type", isOneOf: .null)
    try file.require("num_class_embeds", isOneOf: .null)
    try file.require("resnet_time_scale_shift", isOneOf: "default")
    try file.require("time_cond_proj_dim", isOneOf: .null)
    try file.require("time_embedding_act_fn", isOneOf: .null)
    try file.require("time_embedding_type", isOneOf: "positional")
    try file.require("timestep_post_act", isOneOf: .null)
    guard file.members["only_cross_attention"]?.array?.allSatisfy({ $0 == false }) != true else { return }
    try file.require("only_cross_attention", isOneOf: false)
  }

  /// The size of a convolution that keeps height and width.
  private static func kernel(_ key: String, _ file: JSON.Config) throws(SDError) -> Int {
    let kernel = try file.size(key, default: 3)
    guard kernel % 2 == 1 else {
      throw SDError(.incompatible, "\(file.file): \"\(key)\" is \(kernel), supported are odd sizes")
    }
    return kernel
  }
}
