public import GraphIR

/// Tensors in safetensors files: what `--component` and `--latents-in` read and write.
public enum TensorFile {
  /// All tensors of a file, as Float.
  ///
  /// - Throws: `SDError` for a damaged file or an element type that no model uses.
  public static func read(_ path: String) throws(SDError) -> [String: Tensor] {
    let file = try Safetensors(path: path)
    var tensors: [String: Tensor] = [:]
    for (name, entry) in file.tensors {
      let dtype = try entry.dtype
      let values = dtype.isFloat ? try entry.floats() : try entry.int64s().map { Float($0) }
      tensors[name] = Tensor(TensorType(dtype, entry.shape), values)
    }
    return tensors
  }

  /// The tensor `latents` of a file.
  ///
  /// - Throws: `SDError` (incompatible) when there is none.
  public static func latents(_ path: String) throws(SDError) -> Tensor {
    try Safetensors(path: path).latents()
  }

  /// Writes float32 tensors; the file appears only when it is whole.
  ///
  /// - Throws: `SDError` (resources) when the disk is full.
  public static func write(_ tensors: [String: Tensor], to path: String) throws(SDError) {
    var writer = SafetensorsWriter()
    for (name, tensor) in tensors { try writer.add(name, tensor.shape, floats: tensor.values) }
    try writer.write(to: path)
  }
}

extension Safetensors {
  fileprivate func latents() throws(SDError) -> Tensor {
    let entry = try tensor("latents")
    return Tensor(entry.shape, try entry.floats())
  }
}

extension Tensor {
  /// Tensors joined along the first dimension.
  package static func joined(_ tensors: [Tensor]) -> Tensor {
    let rows = tensors.reduce(0) { $0 + $1.shape[0] }
    return Tensor([rows] + (tensors.first?.shape.dropFirst() ?? []), tensors.flatMap(\.values))
  }
}
