package import GraphIR
import GraphRuntime

/// What a checkpoint may call a tensor that the model calls otherwise.
///
/// - diffusers before 0.18 names the layers of the autoencoder's attention `query`, `key`, `value`, `proj_attn`, and the
///   file may keep their matrices [C, C] as 1 × 1 convolutions [C, C, 1, 1]: the same numbers in the same order.
/// - transformers 5.6 and later saves the CLIP text encoder without the prefix `text_model.`, earlier ones with it.
enum WeightNames {
  /// Old and new name of an attention layer.
  static let attention = [("query", "to_q"), ("key", "to_k"), ("value", "to_v"), ("proj_attn", "to_out.0")]

  /// The other names that a tensor called `name` may have in the model.
  static func aliases(of name: String) -> [(name: String, isOldAttention: Bool)] {
    let prefix = "text_model."
    var aliases = [(name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : prefix + name, false)]
    for (old, new) in attention {
      for parameter in [".weight", ".bias"] where name.hasSuffix("." + old + parameter) {
        aliases.append((name.dropLast(old.count + parameter.count) + new + parameter, true))
      }
    }
    return aliases
  }

  /// Whether it is no fault that the model has no such parameter: a buffer of indices, or the projection of a CLIP
  /// text model that is used without it.
  static func isIgnorable(_ name: String) -> Bool {
    name == "position_ids" || name.hasSuffix(".position_ids") || name == "text_projection.weight"
  }

  /// The name that was probably meant; nil also where the search would be long: it compares letter by letter.
  static func nearest(to name: String, in known: some Collection<String>) -> String? {
    guard name.utf8.count <= 256, known.count <= 2_000 else { return nil }
    return GraphIR.nearest(to: name, in: known.lazy.filter { $0.utf8.count <= 256 })
  }
}

/// Finds the tensor of a checkpoint for each parameter of a model and returns it by the model's name.
///
/// `ignoring` lists prefixes of tensors that may be present without a parameter: the encoder of an autoencoder of which
/// only the decoder is wanted. Shapes must be equal, types floating-point; the data of a returned entry has the
/// order of the expected shape. Throws `.incompatible` with the counts of missing, extra and wrong tensors, the first
/// ten of each, and the nearest name where there is one.
package func matchWeights(
  expected: [(name: String, shape: [Int])], found: Safetensors, ignoring: [String] = []
) throws(SDError) -> [String: Safetensors.Entry] {
  let names = Set(expected.map(\.name))
  // Exact names first: an alias never displaces one.
  var matched = found.tensors.filter { names.contains($0.key) }
  var oldAttention: Set<String> = []
  var mismatch = WeightMismatch()
  for (name, entry) in found.tensors.sorted(by: { $0.key < $1.key }) where !names.contains(name) {
    let alias = WeightNames.aliases(of: name).first { names.contains($0.name) && matched[$0.name] == nil }
    if let alias {
      matched[alias.name] = entry
      if alias.isOldAttention { oldAttention.insert(alias.name) }
    } else if !WeightNames.isIgnorable(name), !ignoring.contains(where: name.hasPrefix) {
      mismatch.extra.append(name)
    }
  }
  for (name, shape) in expected {
    guard let entry = matched[name] else {
      mismatch.missing.append(name)
      continue
    }
    let isSame = entry.shape == shape || (oldAttention.contains(name) && entry.shape == shape + [1, 1])
    let isFloat = Safetensors.Header.dtypes[entry.storedType]?.isFloat ?? false
    if !isSame || !isFloat {
      let type = isFloat ? "" : "F32, F16 or BF16 "
      mismatch.wrong.append((entry.name, "\(entry.storedType) \(entry.shape)", "\(type)\(shape)"))
    }
  }
  if let error = mismatch.error(in: found.path) { throw error }
  return matched
}
