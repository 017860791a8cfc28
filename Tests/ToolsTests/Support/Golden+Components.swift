import DiffusionModels
import GraphIR
import TestSupport

extension Golden {
  /// For every component of `sd-run --component`, which golden tensors are its inputs and outputs.
  static let components: [(name: String, inputs: [String: String], outputs: [String: String])] = [
    ("text_encoder", ["input_ids": "text.input_ids"], ["last_hidden_state": "text.last_hidden_state"]),
    (
      "unet",
      [
        "sample": "unet.sample", "timestep": "unet.timestep", "encoder_hidden_states": "unet.encoder_hidden_states",
      ], ["out": "unet.out"]
    ),
    ("vae_decoder", ["latent": "vae.latent"], ["decoded": "vae.decoded"]),
    ("vae_encoder", ["image": "vae.image"], ["mean": "vae.mean", "logvar": "vae.logvar"]),
  ]

  /// Writes some of the tensors as the inputs of a component: by name, the golden tensor.
  func write(_ inputs: [String: String], to path: String) throws {
    var writer = SafetensorsWriter()
    for (name, source) in inputs {
      let tensor = try tensor(source)
      if tensor.type.dtype == .i64 {
        try writer.add(name, tensor.shape, int64s: tensor.values.map { Int64($0) })
      } else {
        try writer.add(name, tensor.shape, floats: tensor.values)
      }
    }
    try writer.write(to: path)
  }
}
