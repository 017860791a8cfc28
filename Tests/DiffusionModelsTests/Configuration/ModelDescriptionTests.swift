import DiffusionModels
import GraphIR
import GraphRuntime
import TestSupport
import Testing

struct ModelDescriptionTests {
  @Test func builtInArchitectures() throws {
    let sd15 = try ModelDescription(.sd15)
    #expect(sd15.sampleSize == [512, 512])
    #expect(sd15.unet.crossAttentionDim == 768)
    #expect(!sd15.unet.useLinearProjection)
    #expect(sd15.textEncoder.numHiddenLayers == 12)
    #expect(sd15.textEncoder.hiddenActivation == .quickGELU)
    #expect(sd15.vae.scalingFactor == 0.18215)
    #expect(sd15.vae.downsamplingFactor == 8)
    #expect(try sd15.scheduler.string("_class_name") == "PNDMScheduler")

    let sd21 = try ModelDescription(.sd21)
    #expect(sd21.sampleSize == [768, 768])
    #expect(sd21.unet.downBlocks.map(\.transformer?.heads) == [5, 10, 20, nil])
    #expect(sd21.unet.useLinearProjection)
    #expect(sd21.textEncoder.numHiddenLayers == 23)
    #expect(sd21.textEncoder.hiddenActivation == .gelu)
    #expect(try sd21.scheduler.string("prediction_type") == "v_prediction")
    #expect(try sd21.scheduler.double("beta_start") == 0.00085)
  }

  @Test func unknownArchitecture() throws {
    #expect(try Architecture(name: "sd21") == .sd21)
    #expect(throws: SDError(.usage, "architecture \"sdxl\" is not supported, known are sd15, sd21")) {
      try Architecture(name: "sdxl")
    }
  }

  /// Reads a description of small components with some members changed.
  private func describe(unet: JSON.Object = .init(), vae: JSON = [:], text: JSON = [:]) -> SDError? {
    var members = unet
    members["cross_attention_dim"] = members["cross_attention_dim"] ?? 512
    return failure {
      try ModelDescription(
        unet: JSON.Config(.object(members), file: "unet/config.json"),
        vae: JSON.Config(vae, file: "vae/config.json"),
        textEncoder: JSON.Config(text, file: "text_encoder/config.json"),
        scheduler: JSON.Config([:], file: "scheduler/scheduler_config.json"))
    }
  }

  @Test func componentsMustFit() {
    #expect(describe() == nil)
    #expect(
      describe(text: ["hidden_size": 768])
        == SDError(
          .invalid,
          "unet/config.json: \"cross_attention_dim\" is 512, but text_encoder/config.json has \"hidden_size\" 768"
        ))
    #expect(
      describe(vae: ["latent_channels": 16])
        == SDError(
          .invalid, "unet/config.json: \"out_channels\" is 4, but vae/config.json has \"latent_channels\" 16")
    )
  }

  @Test func optionsOfTheOtherComponents() {
    #expect(
      describe(vae: ["shift_factor": JSON(0.1159)])
        == SDError(.incompatible, "vae/config.json: \"shift_factor\" is 0.1159, supported is null"))
    #expect(
      describe(vae: ["down_block_types": ["AttnDownEncoderBlock2D"]])
        == SDError(
          .incompatible,
          "vae/config.json: \"down_block_types\" names \"AttnDownEncoderBlock2D\", supported are "
            + "\"DownEncoderBlock2D\""))
    #expect(
      describe(vae: ["scaling_factor": -1])
        == SDError(.invalid, "vae/config.json: \"scaling_factor\" must be positive, it is -1.0"))
    #expect(
      describe(text: ["hidden_act": "gelu_new"])
        == SDError(
          .incompatible,
          "text_encoder/config.json: \"hidden_act\" names \"gelu_new\", supported are \"quick_gelu\", \"gelu\", "
            + "\"silu\""))
    #expect(
      describe(text: ["architectures": ["T5EncoderModel"]])
        == SDError(
          .incompatible,
          "text_encoder/config.json: \"architectures\" is [\"T5EncoderModel\"], supported is [\"CLIPTextModel\"] or "
            + "[\"CLIPTextModelWithProjection\"]"))
    #expect(
      describe(text: ["num_attention_heads": 7])
        == SDError(
          .invalid,
          "text_encoder/config.json: \"num_attention_heads\" has 7 heads, which do not divide 512 channels"))
  }

  @Test(
    arguments: [
      (
        "{\"_class_name\": \"StableDiffusionXLPipeline\"}",
        "\"_class_name\" is \"StableDiffusionXLPipeline\", supported is \"StableDiffusionPipeline\" or "
          + "\"StableDiffusionImg2ImgPipeline\" or \"StableDiffusionInpaintPipeline\""
      ),
      (
        "{\"vae\": [\"diffusers\", \"AutoencoderTiny\"]}",
        "\"vae\" is of class \"AutoencoderTiny\", AutoencoderKL is supported"
      ),
      (
        "{\"text_encoder_2\": [\"transformers\", \"CLIPTextModel\"]}",
        "\"text_encoder_2\" is of class \"CLIPTextModel\", no class is supported"
      ),
    ])
  func otherPipelines(index: String, message: String) throws {
    try withTemporaryFolder { folder in
      put(index.utf8, folder + "/model_index.json")
      #expect(
        failure { try ModelDescription(folder: folder) }
          == SDError(.incompatible, "\(folder)/model_index.json: \(message)"))
    }
  }

  @Test func missingComponent() throws {
    let index = "{\"_class_name\": \"StableDiffusionPipeline\", \"image_encoder\": [null, null]}"
    try withTemporaryFolder { folder in
      put(index.utf8, folder + "/model_index.json")
      let error = failure { try ModelDescription(folder: folder) }
      #expect(error?.code == .invalid)
      #expect(error?.message.contains("\(folder)/unet/config.json") == true)
    }
  }
}
