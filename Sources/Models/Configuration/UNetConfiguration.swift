public import GraphIR

/// The architecture of a conditional U-Net (diffusers' `UNet2DConditionModel`), as `unet/config.json` gives it.
///
/// The lists of the file, one entry a level or one for all, are resolved into blocks in the order of computation:
/// `downBlocks` from the finest level to the coarsest, `midBlock`, `upBlocks` back to the finest.
public struct UNetConfiguration: Hashable, Sendable {
  /// A level on the way down or up: `resnets` residual blocks, each followed by a transformer where there is one.
  ///
  /// All down blocks but the last end in a downsampler, all up blocks but the last in an upsampler.
  public struct Block: Hashable, Sendable {
    /// Channels of every result of the block.
    public let channels: Int
    /// Number of residual blocks.
    public let resnets: Int
    /// What follows each residual block; nil in `DownBlock2D` and `UpBlock2D`.
    public let transformer: Transformer?
  }

  /// The transformers of a block (diffusers' `Transformer2DModel`).
  public struct Transformer: Hashable, Sendable {
    /// Number of attention heads.
    public let heads: Int
    /// Number of transformer blocks behind each residual block.
    public let layers: [Int]
  }

  /// What stands between the way down and the way up, all on the channels of the last down block.
  public enum MidBlock: Hashable, Sendable {
    /// Nothing (`null`).
    case absent
    /// One residual block (`UNetMidBlock2D`).
    case resnet
    /// A residual block, a transformer, a residual block (`UNetMidBlock2DCrossAttn`).
    case transformer(Transformer)
  }

  /// Channels of the sample: 4, and 9 for inpainting.
  public let inChannels: Int
  /// Channels of the result.
  public let outChannels: Int
  /// Height and width of the latents that the model was trained with.
  public let sampleSize: [Int]?
  /// Whether the sample is moved from 0 … 1 to −1 … 1 first.
  public let centerInputSample: Bool
  /// Width and height of the first convolution, odd.
  public let convInKernel: Int
  /// Width and height of the last convolution, odd.
  public let convOutKernel: Int

  /// Width of the time embedding; four times the channels of the first level unless the file says otherwise.
  public let timeEmbedDim: Int
  /// Whether the cosines of the timestep come before its sines.
  public let flipSinToCos: Bool
  /// Taken off the number of frequencies in their exponent.
  public let freqShift: Double

  /// From the finest level to the coarsest.
  public let downBlocks: [Block]
  /// At the coarsest level.
  public let midBlock: MidBlock
  /// From the coarsest level to the finest; each reads what the down blocks and the first convolution left.
  public let upBlocks: [Block]

  /// Columns of `encoder_hidden_states`.
  public let crossAttentionDim: Int
  /// Whether the projections around the transformers are linear layers rather than 1×1 convolutions.
  public let useLinearProjection: Bool
  /// Groups of every GroupNorm.
  public let normNumGroups: Int
  /// Added to the variance in every GroupNorm but those of the transformers.
  public let normEps: Double
  /// Between the layers of residual blocks, of the time embedding and before the last convolution.
  public let activation: Activation
  /// Divisor of the results of the mid block's residual blocks.
  public let midBlockScaleFactor: Double
  /// Zeros around the input of downsamplers: 1, or 0 for a row below and a column to the right.
  public let downsamplePadding: Int

  /// Every level halves height and width but the last: the factor between the finest and the coarsest.
  public var downsamplingFactor: Int { 1 << (downBlocks.count - 1) }
}
