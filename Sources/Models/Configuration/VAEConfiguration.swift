public import GraphIR
package import GraphRuntime

/// The architecture of a variational autoencoder (diffusers' `AutoencoderKL`), as `vae/config.json` gives it.
public struct VAEConfiguration: Hashable, Sendable {
  /// Channels of the pictures that the encoder reads.
  public let inChannels: Int
  /// Channels of the pictures that the decoder draws.
  public let outChannels: Int
  /// Channels of the latents.
  public let latentChannels: Int
  /// Channels of the levels, from the picture inwards; all but the last halve height and width.
  public let blockOutChannels: [Int]
  /// Residual blocks of an encoder level; a decoder level has one more.
  public let layersPerBlock: Int
  /// Groups of every GroupNorm.
  public let normNumGroups: Int
  /// Between the layers of residual blocks. Before the last convolution it is SiLU always.
  public let activation: Activation
  /// Whether the innermost level has an attention between its residual blocks.
  public let midBlockAddAttention: Bool
  /// Whether a 1×1 convolution follows the encoder.
  public let useQuantConv: Bool
  /// Whether a 1×1 convolution precedes the decoder.
  public let usePostQuantConv: Bool
  /// Height and width of the pictures that the model was trained with.
  public let sampleSize: [Int]
  /// The diffusion model's latents are the encoder's times this.
  public let scalingFactor: Double

  /// Picture pixels along an edge of a latent pixel.
  public var downsamplingFactor: Int { 1 << (blockOutChannels.count - 1) }

  /// Reads `vae/config.json`; keys that old files lack take the defaults of diffusers' class.
  ///
  /// `force_upcast` names a way to run in float16 and is not read.
  ///
  /// - Throws: `.invalid` for a value of the wrong kind or sizes that do not fit together, `.incompatible` for an
  ///   option that changes the result and is not implemented.
  package init(_ file: JSON.Config) throws(SDError) {
    try file.require("_class_name", isOneOf: "AutoencoderKL")
    try file.require("shift_factor", isOneOf: .null)
    try file.require("latents_mean", isOneOf: .null)
    try file.require("latents_std", isOneOf: .null)

    normNumGroups = try file.size("norm_num_groups", default: 32)
    blockOutChannels = try file.channels("block_out_channels", default: [64], groups: normNumGroups)
    let levels = blockOutChannels.count
    _ = try file.choices(
      "down_block_types", count: levels, default: ["DownEncoderBlock2D"], ["DownEncoderBlock2D": true])
    _ = try file.choices(
      "up_block_types", count: levels, default: ["UpDecoderBlock2D"], ["UpDecoderBlock2D": true])

    inChannels = try file.size("in_channels", default: 3)
    outChannels = try file.size("out_channels", default: 3)
    latentChannels = try file.size("latent_channels", default: 4)
    layersPerBlock = try file.size("layers_per_block", default: 1, in: 1...64)
    activation = try file.choice(
      "act_fn", default: "silu", ["silu": .silu, "swish": .silu, "gelu": .gelu])
    midBlockAddAttention = try file.bool("mid_block_add_attention", default: true)
    useQuantConv = try file.bool("use_quant_conv", default: true)
    usePostQuantConv = try file.bool("use_post_quant_conv", default: true)
    sampleSize = try file.sizes("sample_size", count: 2, default: 32)
    scalingFactor = try file.positive("scaling_factor", default: 0.18215)
  }
}
