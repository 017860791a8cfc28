public import GraphIR
import GraphRuntime

/// A well-known architecture, described as its published repository describes it: the values of the
/// configuration files that differ from the defaults of their classes.
public enum Architecture: String, CaseIterable, Sendable {
  /// Stable Diffusion 1.5: CLIP ViT-L/14, 512×512 pixels, predicts the noise.
  case sd15
  /// Stable Diffusion 2.1: OpenCLIP ViT-H/14, 768×768 pixels, predicts the velocity.
  case sd21

  /// The architecture of that name.
  ///
  /// - Throws: `.usage` with the known names when it is none of them.
  public init(name: String) throws(SDError) {
    guard let architecture = Architecture(rawValue: name) else {
      let known = Architecture.allCases.map(\.rawValue).joined(separator: ", ")
      throw SDError(.usage, "architecture \(JSON.quoted(name)) is not supported, known are \(known)")
    }
    self = architecture
  }

  /// What fills a prompt up to the length of the text encoder's positions.
  public var padToken: String {
    switch self {
    case .sd15: "<|endoftext|>"
    case .sd21: "!"
    }
  }

  var unet: JSON {
    switch self {
    case .sd15:
      [
        "_class_name": "UNet2DConditionModel", "sample_size": 64,
        "cross_attention_dim": 768, "attention_head_dim": 8,
      ]
    case .sd21:
      [
        "_class_name": "UNet2DConditionModel", "sample_size": 96,
        "cross_attention_dim": 1024, "attention_head_dim": [5, 10, 20, 20], "use_linear_projection": true,
      ]
    }
  }

  var vae: JSON {
    [
      "_class_name": "AutoencoderKL", "sample_size": self == .sd15 ? 512 : 768,
      "block_out_channels": [128, 256, 512, 512], "layers_per_block": 2,
      "down_block_types": [
        "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D",
      ],
      "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"],
    ]
  }

  var textEncoder: JSON {
    switch self {
    case .sd15:
      [
        "model_type": "clip_text_model", "hidden_size": 768, "intermediate_size": 3072,
        "num_hidden_layers": 12, "num_attention_heads": 12, "hidden_act": "quick_gelu",
      ]
    case .sd21:
      [
        "model_type": "clip_text_model", "hidden_size": 1024, "intermediate_size": 4096,
        "num_hidden_layers": 23, "num_attention_heads": 16, "hidden_act": "gelu",
      ]
    }
  }

  var scheduler: JSON {
    var members = JSON.Object()
    switch self {
    case .sd15:
      members["_class_name"] = "PNDMScheduler"
      members["skip_prk_steps"] = true
    case .sd21:
      members["_class_name"] = "DDIMScheduler"
      members["prediction_type"] = "v_prediction"
    }
    members["num_train_timesteps"] = 1000
    members["beta_start"] = JSON(0.00085)
    members["beta_end"] = JSON(0.012)
    members["beta_schedule"] = "scaled_linear"
    members["set_alpha_to_one"] = false
    members["steps_offset"] = 1
    members["clip_sample"] = false
    return .object(members)
  }
}

extension ModelDescription {
  /// The description of a built-in architecture.
  ///
  /// - Throws: nothing that a caller could cause; as `init(folder:)`.
  public init(_ architecture: Architecture) throws(SDError) {
    let name = architecture.rawValue
    try self.init(
      unet: JSON.Config(architecture.unet, file: "\(name)/unet/config.json"),
      vae: JSON.Config(architecture.vae, file: "\(name)/vae/config.json"),
      textEncoder: JSON.Config(architecture.textEncoder, file: "\(name)/text_encoder/config.json"),
      scheduler: JSON.Config(architecture.scheduler, file: "\(name)/scheduler/scheduler_config.json"))
  }
}
