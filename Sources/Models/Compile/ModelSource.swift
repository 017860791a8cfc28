public import GraphIR
import GraphRuntime

/// Where the model to compile comes from: a folder in diffusers' layout, or a built-in architecture with random weights.
public struct ModelSource: Sendable {
  /// What to call it in files and messages.
  public let name: String
  /// The configurations of its components.
  public let description: ModelDescription
  /// Its tokenizer.
  public let tokenizer: CLIPTokenizer
  /// Where the tensors of a component come from.
  let parameters: @Sendable (Component, [Parameter]) throws(SDError) -> any ParameterSource

  /// A checkpoint in diffusers' layout.
  ///
  /// - Parameter seed: draws random weights instead of reading the checkpoint's, which need not be there.
  /// - Throws: `SDError` for a missing or damaged file, and for what is not supported.
  public init(folder: String, randomWeights seed: UInt64? = nil) throws(SDError) {
    var folder = folder
    while folder.count > 1, folder.hasSuffix("/") { folder.removeLast() }
    name = folder.split(separator: "/").last.map(String.init) ?? folder
    description = try ModelDescription(folder: folder)
    // Stored as it is, but a value that no scheduler takes is refused now, not when pictures are drawn.
    _ = try SchedulerConfiguration(description.scheduler)
    tokenizer = try CLIPTokenizer(folder: "\(folder)/tokenizer")
    try tokenizer.validate(embeddingRows: description.textEncoder.vocabSize)
    let path = folder
    parameters = { (component, expected) throws(SDError) in
      if let seed { return RandomWeights(seed: seed) }
      return try CheckpointWeights(folder: path, component: component, expected: expected)
    }
  }

  /// A built-in architecture with random weights and a byte-level vocabulary.
  ///
  /// - Throws: `SDError` when the architecture cannot be described.
  public init(_ architecture: Architecture, randomWeights seed: UInt64) throws(SDError) {
    name = architecture.rawValue
    description = try ModelDescription(architecture)
    tokenizer = try .byteLevel(
      size: description.textEncoder.vocabSize, pad: CLIPTokenizer.AddedToken(architecture.padToken))
    parameters = { (_, _) throws(SDError) in RandomWeights(seed: seed) }
  }
}

/// Tensors by checkpoint name, in whatever element type they are stored.
protocol ParameterSource: Sendable {
  /// The dense elements of a parameter; valid while `owner` lives.
  func tensor(
    _ parameter: Parameter
  ) throws(SDError) -> (bytes: UnsafeRawBufferPointer, dtype: DType, owner: any Sendable)
}

/// The tensors of a component's safetensors files, mapped.
struct CheckpointWeights: ParameterSource {
  private let entries: [String: Safetensors.Entry]

  /// Opens the files and finds every expected parameter in them.
  init(folder: String, component: Component, expected: [Parameter]) throws(SDError) {
    let base = "\(folder)/\(component.folder)"
    let file = try CheckpointWeights.open(base, component.weightFiles)
    entries = try matchWeights(
      expected: expected.map { ($0.name, $0.type.shape) }, found: file, ignoring: component.foreignPrefixes)
  }

  /// The first of the published names that exists: one file, its shards, or the half-precision variant.
  private static func open(_ base: String, _ names: [String]) throws(SDError) -> Safetensors {
    for name in names {
      for variant in ["", ".fp16"] {
        let single = "\(base)/\(name)\(variant).safetensors"
        if FileStatus.exists(single) { return try Safetensors(path: single) }
        let index = variant.isEmpty ? "\(base)/\(name).safetensors.index.json" : ""
        if !index.isEmpty, FileStatus.exists(index) { return try Safetensors(shardedIndex: index) }
      }
    }
    throw SDError(
      .invalid, "\(base): no weights there: neither \(names[0]).safetensors nor \(names[0]).safetensors.index.json",
      hint: "Only safetensors files are read. --random-weights 0 compiles without weights.")
  }

  func tensor(
    _ parameter: Parameter
  ) throws(SDError) -> (bytes: UnsafeRawBufferPointer, dtype: DType, owner: any Sendable) {
    guard let entry = entries[parameter.name] else {
      throw SDError(.incompatible, "the checkpoint has no tensor '\(parameter.name)'")
    }
    let dtype = try entry.dtype
    guard Int(bitPattern: entry.bytes.baseAddress) % dtype.size != 0 else { return (entry.bytes, dtype, entry) }
    // Kernels want elements at multiples of their size; the format does not promise it.
    let copy = try HostMemory(byteCount: entry.bytes.count)
    copy.bytes.copyMemory(from: entry.bytes)
    return (UnsafeRawBufferPointer(copy.bytes), dtype, copy)
  }
}
