import GraphIR
import GraphRuntime

/// What the pipeline writes to and reads from the graphs of a plan, as its META section implies.
///
/// Graphs and META come from one file, but each could have been changed: nothing is run before they agree.
struct PlanInterface {
  let inputs: [String: TensorType]
  let outputs: [String: TensorType]

  init(_ key: GraphKey, _ info: PlanInfo, channels: Int) {
    let rows = key.entry == "unguided" ? info.batch : 2 * info.batch
    let (height, width) = (key.size?.height ?? 0, key.size?.width ?? 0)
    let (h, w) = (height / info.vaeFactor, width / info.vaeFactor)
    let latents = TensorType(.f32, [1, h, w, info.latentChannels])
    let image = TensorType(.f32, [1, height, width, 3])
    let context = [info.tokens, info.contextWidth]
    switch (key.component, key.entry) {
    case (.textEncoder, _):
      inputs = ["input_ids": TensorType(.i32, [1, info.tokens])]
      outputs = ["last_hidden_state": TensorType(.f32, [1] + context)]
    case (.unet, "guided"), (.unet, "unguided"):
      inputs = [
        "sample": TensorType(.f32, [info.batch, h, w, channels]), "timesteps": TensorType(.f32, [info.scheduleRows]),
        "index": TensorType(.i32, [1]), "encoder_hidden_states": TensorType(.f32, [rows] + context),
      ]
      outputs = ["out": TensorType(.f32, [rows, h, w, info.latentChannels])]
    case (.unet, _):
      inputs = [
        "sample": TensorType(.f32, [rows, h, w, channels]), "timestep": TensorType(.f32, [rows]),
        "encoder_hidden_states": TensorType(.f32, [rows] + context),
      ]
      outputs = ["out": TensorType(.f32, [rows, h, w, info.latentChannels])]
    case (.vaeDecoder, _):
      inputs = ["latent": latents]
      outputs = ["decoded": image]
    case (.vaeEncoder, _):
      inputs = ["image": image]
      outputs = ["mean": latents, "logvar": latents]
    }
  }

  /// Checks the programs of a component: they read what is written, write what is read, and no name means two tensors.
  ///
  /// - Throws: `SDError` (invalid) that names the first tensor that does not fit.
  static func check(_ programs: [Rate: Program], _ key: GraphKey, _ info: PlanInfo) throws(SDError) {
    let all = programs.sorted { $0.key < $1.key }.map(\.value)
    let sample = all.flatMap(\.inputs).first { $0.name == "sample" }
    let wanted = PlanInterface(key, info, channels: sample?.type.lastDimension ?? 0)
    // Values that cross from one rate to another: written by one program, read by others.
    var computed: [String: TensorType] = [:]
    for program in all {
      for input in program.inputs {
        guard let type = wanted.inputs[input.name] ?? computed[input.name], type == input.type else {
          throw fault(key, "reads '\(input.name)' \(input.type)")
        }
      }
      for output in program.outputs {
        guard computed[output.name] == nil, wanted.inputs[output.name] == nil,
          wanted.outputs[output.name].map({ $0 == output.type }) ?? true
        else { throw fault(key, "writes '\(output.name)' \(output.type)") }
        computed[output.name] = output.type
      }
    }
    for (name, type) in wanted.outputs.sorted(by: { $0.key < $1.key }) where computed[name] != type {
      throw fault(key, "does not write '\(name)' \(type)")
    }
  }

  private static func fault(_ key: GraphKey, _ what: String) -> SDError {
    SDError(.invalid, "the graph of \(key.component.rawValue) \(key.entry) \(what), which its header does not say")
  }
}
