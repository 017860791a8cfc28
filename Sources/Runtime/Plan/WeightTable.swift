package import GraphIR

/// What a plan's weight section holds and where.
package struct WeightTable: Sendable {
  /// One stored weight.
  package struct Entry: Sendable {
    /// Name, type and layout.
    package var weight: Program.Weight
    /// First byte in the weight section.
    package var offset: Int
    /// SHA-256 of its bytes; equal weights share them.
    package var digest: Digest

    /// An entry for a weight that was written at an offset.
    package init(weight: Program.Weight, offset: Int, digest: Digest) {
      (self.weight, self.offset, self.digest) = (weight, offset, digest)
    }
  }

  /// All entries, in file order.
  package var entries: [Entry]

  /// A table of these entries.
  package init(_ entries: [Entry]) { self.entries = entries }

  /// As it is stored: canonical JSON.
  package var json: JSON {
    .array(
      entries.map { entry in
        [
          "name": .string(entry.weight.name), "dtype": .string(entry.weight.type.dtype.rawValue),
          "shape": .array(entry.weight.type.shape.map { JSON($0) }), "layout": .string(entry.weight.layout.rawValue),
          "offset": JSON(entry.offset), "sha256": .string(entry.digest.description),
        ]
      })
  }

  /// Reads a table whose offsets must lie in a section of `limit` bytes.
  ///
  /// - Throws: `SDError` (invalid) that names the entry.
  package init(_ json: JSON, limit: Int, path: String) throws(SDError) {
    func fault(_ index: Int) -> SDError {
      SDError(.invalid, "cannot load '\(path)': entry \(index) of its weight table is not valid. Recompile it.")
    }
    guard let list = json.array else { throw fault(0) }
    entries = []
    for (index, item) in list.enumerated() {
      guard let item = item.object, let name = item["name"]?.string,
        let dtype = item["dtype"]?.string.flatMap(DType.init(rawValue:)),
        let shape = item["shape"]?.array?.map(\.int), !shape.contains(nil),
        let layout = item["layout"]?.string.flatMap(WeightLayout.init(rawValue:)),
        let offset = item["offset"]?.int, let digest = item["sha256"]?.string.flatMap(Digest.init(hex:)),
        let type = TensorType(dtype, shape.compactMap { $0 }).checked(), layout.accepts(type)
      else { throw fault(index) }
      // Padding at most multiplies the dense size by 1,024, so that the packed size cannot overflow either.
      guard type.byteCount <= limit, offset >= 0, offset % PlanFormat.tensorAlignment == 0 else {
        throw fault(index)
      }
      let length = layout.byteCount(type)
      guard length <= limit, offset <= limit - length else { throw fault(index) }
      let weight = Program.Weight(name: name, type: type, layout: layout)
      entries.append(Entry(weight: weight, offset: offset, digest: digest))
    }
  }

  /// Checks the digest of every weight.
  ///
  /// - Throws: `SDError` (invalid) that names the first damaged one.
  package func verify(_ file: PlanFile) throws(SDError) {
    let section = try file.section(.weights)
    for entry in entries {
      let length = entry.weight.layout.byteCount(entry.weight.type)
      let bytes = UnsafeRawBufferPointer(rebasing: section[entry.offset..<entry.offset + length])
      guard try Digest(of: bytes) == entry.digest else {
        throw SDError(
          .invalid,
          "cannot load '\(file.path)': weight '\(entry.weight.name)' is damaged (digest differs). "
            + "Copy it again, or recompile.")
      }
    }
  }
}
