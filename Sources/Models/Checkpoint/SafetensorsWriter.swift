public import GraphIR
import GraphRuntime

/// Collects tensors and writes them as one safetensors file. Equal tensors and metadata give equal bytes.
public struct SafetensorsWriter: Sendable {
  private var tensors: [String: (type: TensorType, bytes: [UInt8])] = [:]
  private var metadata: [String: String]

  /// A file without tensors; `metadata` becomes its `__metadata__`.
  public init(metadata: [String: String] = [:]) {
    self.metadata = metadata
  }

  /// Adds a tensor of 32-bit floats, row-major.
  public mutating func add(_ name: String, _ shape: [Int], floats: [Float]) throws(SDError) {
    try add(name, TensorType(.f32, shape), bytes: Self.copy(floats.span.bytes))
  }

  /// Adds a tensor of 64-bit integers, row-major.
  public mutating func add(_ name: String, _ shape: [Int], int64s: [Int64]) throws(SDError) {
    try add(name, TensorType(.i64, shape), bytes: Self.copy(int64s.span.bytes))
  }

  /// Adds a tensor from its bytes, dense, row-major, little-endian.
  ///
  /// Throws `.usage` if the name is taken or the bytes are not those of the type.
  public mutating func add(_ name: String, _ type: TensorType, bytes: [UInt8]) throws(SDError) {
    guard name != "__metadata__", tensors[name] == nil else {
      throw SDError(.usage, "cannot store tensor \(JSON.quoted(name)): the name is taken")
    }
    guard type.checked()?.byteCount == bytes.count else {
      throw SDError(
        .usage, "cannot store tensor \(JSON.quoted(name)): \(bytes.count) bytes are not a \(type)")
    }
    tensors[name] = (type, bytes)
  }

  /// Writes the file, through a temporary one. Throws `.resources` where the disk or a permission fails.
  public func write(to path: String) throws(SDError) {
    // Wide elements first, so that every tensor is aligned to its own; then by name.
    let order = tensors.sorted { a, b in
      let (x, y) = (a.value.type.dtype.size, b.value.type.dtype.size)
      return x != y ? x > y : a.key.utf8.lexicographicallyPrecedes(b.key.utf8)
    }
    var file = try AtomicFile(path)
    try file.append(header(order.map { ($0.key, $0.value.type) }))
    for (_, tensor) in order { try file.append(tensor.bytes) }
    try file.commit()
  }

  /// Length and JSON of the tensors in the order of their data, padded with spaces to a multiple of 8.
  private func header(_ tensors: [(name: String, type: TensorType)]) -> [UInt8] {
    var object = JSON.Object()
    if !metadata.isEmpty {
      var members = JSON.Object()
      for (key, value) in metadata { members[key] = .string(value) }
      object["__metadata__"] = .object(members)
    }
    var offset = 0
    for (name, type) in tensors {
      object[name] = [
        "dtype": .string(type.dtype.rawValue.uppercased()),
        "shape": .array(type.shape.map { JSON($0) }),
        "data_offsets": .array([JSON(offset), JSON(offset + type.byteCount)]),
      ]
      offset += type.byteCount
    }
    var json = Array(JSON.object(object).canonical.utf8)
    json += [UInt8](repeating: UInt8(ascii: " "), count: (8 - json.count % 8) % 8)
    return Self.copy([UInt64(json.count).littleEndian].span.bytes) + json
  }

  private static func copy(_ bytes: RawSpan) -> [UInt8] { bytes.withUnsafeBytes { Array($0) } }
}
