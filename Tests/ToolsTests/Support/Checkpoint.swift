import DiffusionModels
import GraphIR
import GraphRuntime
import TestSupport

/// A copy of a micro model's checkpoint that a test may damage.
struct Checkpoint {
  let folder: String

  init(_ model: MicroModel = .sd15, in parent: String) throws {
    folder = "\(parent)/model"
    try copyTree(model.folder, folder)
  }

  /// Where the weights of a component are.
  func weights(_ component: String) -> String {
    "\(folder)/\(component)/" + (component == "text_encoder" ? "model" : "diffusion_pytorch_model") + ".safetensors"
  }

  /// Rewrites a weight file with its tensors changed: nil removes one, new names add some. All become float32.
  func edit(_ component: String, _ change: (inout [String: Tensor]) -> Void) throws {
    let path = weights(component)
    var tensors = try TensorFile.read(path)
    change(&tensors)
    try TensorFile.write(tensors, to: path)
  }

  /// Replaces text in a file.
  func replace(_ file: String, _ old: String, _ new: String) throws {
    let path = "\(folder)/\(file)"
    let text = String(decoding: get(path) ?? [], as: UTF8.self)
    guard text.contains(old) else { throw SDError(.usage, "\(file) does not contain \(old)") }
    put(text.replacing(old, with: new).utf8, path)
  }
}

extension Checkpoint {
  /// Rewrites the header of a component's weight file; its length is set right.
  func editHeader(_ component: String, _ change: (String) -> some Sequence<UInt8>) {
    let bytes = get(weights(component)) ?? []
    let end = 8 + Int(bytes[..<8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    let header = Array(change(String(decoding: bytes[8..<end], as: UTF8.self)))
    let length = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) }
    put(length + header + bytes[end...], weights(component))
  }
}
