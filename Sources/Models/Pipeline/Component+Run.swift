package import GraphIR

extension Component {
  /// Runs the component on tensors by name, as `sd-run --component` documents them.
  ///
  /// - Throws: `SDError`: usage for a missing tensor or a wrong shape, numerics when a result is not finite.
  package func run(
    _ model: CompiledModel, _ inputs: [String: Tensor], size: PictureSize?
  ) throws(SDError) -> [String: Tensor] {
    let outputs = try compute(model, inputs, size: size)
    for (name, tensor) in outputs.sorted(by: { $0.key < $1.key }) where !tensor.values.allSatisfy(\.isFinite) {
      throw SDError(
        .numerics, "\(rawValue): '\(name)' holds values that are not finite",
        hint: "SD_CHECK_NAN=1 names the first operation that makes them.")
    }
    return outputs
  }

  private func compute(
    _ model: CompiledModel, _ inputs: [String: Tensor], size: PictureSize?
  ) throws(SDError) -> [String: Tensor] {
    func input(_ name: String) throws(SDError) -> Tensor {
      guard let tensor = inputs[name] else {
        let found = inputs.keys.sorted().map { "'\($0)'" }.joined(separator: ", ")
        throw SDError(.usage, "\(rawValue) needs the tensor '\(name)'; the file has \(found.isEmpty ? "none" : found)")
      }
      return tensor
    }
    switch self {
    case .textEncoder: return ["last_hidden_state": try model.textEncoder()(input("input_ids"))]
    case .unet:
      let sample = try input("sample")
      let unet = try model.unet(size ?? model.size(ofLatents: sample))
      return [
        "out": try unet(
          sample: sample, timestep: input("timestep"), encoderHiddenStates: input("encoder_hidden_states"))
      ]
    case .vaeDecoder:
      let latent = try input("latent")
      return ["decoded": try model.vaeDecoder(size ?? model.size(ofLatents: latent))(latent)]
    case .vaeEncoder:
      let image = try input("image")
      let own = image.type.rank == 4 ? PictureSize(height: image.shape[2], width: image.shape[3]) : nil
      let outputs = try model.vaeEncoder(size ?? own)(image)
      return ["mean": outputs.mean, "logvar": outputs.logvar]
    }
  }
}

extension CompiledModel {
  /// The picture size that latents `[B, C, h, w]` belong to; nil when they have another rank.
  fileprivate func size(ofLatents latents: Tensor) -> PictureSize? {
    guard latents.type.rank == 4 else { return nil }
    return PictureSize(height: latents.shape[2] * info.vaeFactor, width: latents.shape[3] * info.vaeFactor)
  }
}
