public import GraphIR
package import GraphRuntime

/// What a Stable Diffusion model is made of: the configurations of its components, never their weights.
///
/// It comes from a folder in diffusers' layout or from a built-in `Architecture`.
public struct ModelDescription: Sendable {
  /// The noise predictor.
  public let unet: UNetConfiguration
  /// Between pictures and latents.
  public let vae: VAEConfiguration
  /// From tokens to what the noise predictor attends to.
  public let textEncoder: TextEncoderConfiguration
  /// The members of `scheduler/scheduler_config.json`.
  package let scheduler: JSON.Config

  /// Picture pixels [height, width] that the model was trained with.
  public var sampleSize: [Int] {
    unet.sampleSize.map { $0.map { $0 * vae.downsamplingFactor } } ?? vae.sampleSize
  }

  /// Reads the configuration files of a folder in diffusers' layout; weights are not touched.
  ///
  /// - Throws: `.invalid` for a missing or damaged file or for components that do not fit together, `.incompatible`
  ///   for a pipeline, a component or an option that is not supported.
  public init(folder: String) throws(SDError) {
    let index = try JSON.Config(file: "\(folder)/model_index.json")
    try Self.checkIndex(index)
    try self.init(
      unet: JSON.Config(file: "\(folder)/unet/config.json"),
      vae: JSON.Config(file: "\(folder)/vae/config.json"),
      textEncoder: JSON.Config(file: "\(folder)/text_encoder/config.json"),
      scheduler: JSON.Config(file: "\(folder)/scheduler/scheduler_config.json"))
  }

  /// The description that the members of the four files give.
  ///
  /// - Throws: as `init(folder:)`.
  package init(
    unet: JSON.Config, vae: JSON.Config, textEncoder: JSON.Config, scheduler: JSON.Config
  ) throws(SDError) {
    self.unet = try UNetConfiguration(unet)
    self.vae = try VAEConfiguration(vae)
    self.textEncoder = try TextEncoderConfiguration(textEncoder)
    self.scheduler = scheduler
    guard self.unet.crossAttentionDim == self.textEncoder.hiddenSize else {
      throw unet.invalid(
        "cross_attention_dim",
        "is \(self.unet.crossAttentionDim), "
          + "but \(textEncoder.file) has \"hidden_size\" \(self.textEncoder.hiddenSize)")
    }
    guard self.unet.outChannels == self.vae.latentChannels else {
      throw unet.invalid(
        "out_channels",
        "is \(self.unet.outChannels), but \(vae.file) has \"latent_channels\" \(self.vae.latentChannels)")
    }
  }

  /// The component classes of `model_index.json` that this project implements.
  private static let components: KeyValuePairs<String, [String]> = [
    "unet": ["UNet2DConditionModel"],
    "vae": ["AutoencoderKL"],
    "text_encoder": ["CLIPTextModel", "CLIPTextModelWithProjection"],
    "tokenizer": ["CLIPTokenizer", "CLIPTokenizerFast"],
    // Members of pipelines that are not implemented: absent or [null, null].
    "text_encoder_2": [], "controlnet": [], "image_encoder": [], "prior": [],
  ]

  private static func checkIndex(_ index: JSON.Config) throws(SDError) {
    try index.require(
      "_class_name",
      isOneOf: "StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline", "StableDiffusionInpaintPipeline")
    for (component, supported) in components {
      guard let entry = index.members[component]?.array, entry.count == 2, let name = entry[1].string else {
        continue
      }
      guard supported.contains(name) else {
        let list = supported.isEmpty ? "no class" : supported.joined(separator: " or ")
        throw SDError(
          .incompatible,
          "\(index.file): \"\(component)\" is of class \(JSON.quoted(name)), \(list) is supported")
      }
    }
  }
}
