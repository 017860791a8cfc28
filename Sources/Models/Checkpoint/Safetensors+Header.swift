import GraphIR
import GraphRuntime

extension Safetensors {
  /// The header of one file: 8 bytes of length (little-endian, at most 100,000,000), then JSON that begins with `{`
  /// and may be padded with spaces, then the data.
  ///
  /// Checked: names are distinct; rank ≤ 8; the range of a tensor has exactly the bytes of its shape, computed
  /// without overflow; the ranges in order of their begin cover the data without hole or overlap. So nothing can
  /// hide in the file, and no later read leaves it.
  struct Header {
    var tensors: [String: Entry] = [:]
    var metadata: [String: String] = [:]

    static let sizeLimit = 100_000_000

    /// Bits an element takes, by the file's name of the type.
    static let bits: [String: Int] = [
      "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
      "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E5M2FNUZ": 8,
      "F8_E4M3FNUZ": 8,
      "U16": 16, "I16": 16, "F16": 16, "BF16": 16, "U32": 32, "I32": 32, "F32": 32,
      "U64": 64, "I64": 64, "F64": 64, "C64": 64,
    ]

    /// The types that can be used.
    static let dtypes: [String: DType] = ["F32": .f32, "F16": .f16, "BF16": .bf16, "I32": .i32, "I64": .i64]

    init(_ file: MappedFile) throws(SDError) {
      defer { extendLifetime(file) }
      let path = file.path
      let start = try Self.dataStart(file)
      var parser = JSON.Parser(UnsafeRawBufferPointer(rebasing: file.bytes[8..<start]), name: path, base: 8)
      guard start > 8, file.bytes[8] == UInt8(ascii: "{") else {
        throw parser.error("a header begins with '{'")
      }
      var entries: [Entry] = []
      var metadata: [String: String]?
      let dataCount = file.bytes.count - start
      try parser.object { parser, name throws(SDError) in
        if name == "__metadata__" {
          guard metadata == nil else { throw parser.duplicate(name) }
          metadata = try Self.metadata(&parser)
        } else {
          entries.append(try Self.entry(name, &parser, file, from: start, count: dataCount))
        }
      }
      if let other = file.bytes[(8 + parser.position)..<start].firstIndex(where: { $0 != UInt8(ascii: " ") }) {
        throw parser.error("only spaces may follow the header", at: other - 8)
      }
      tensors.reserveCapacity(entries.count)
      for entry in entries where tensors.updateValue(entry, forKey: entry.name) != nil {
        throw SDError(.invalid, "\(path): tensor \(JSON.quoted(entry.name)) appears twice")
      }
      try Self.checkCover(&entries, of: start..<file.bytes.count, path)
      self.metadata = metadata ?? [:]
    }

    /// The bytes of a dense tensor; nil where a dimension reaches 2³¹, the product overflows (a zero dimension hides no
    /// overflow), or the size is not whole bytes.
    static func byteCount(_ shape: [Int], bits: Int) -> Int? {
      var product = bits
      for dimension in shape {
        guard dimension < 1 << 31 else { return nil }
        let (next, overflow) = product.multipliedReportingOverflow(by: max(dimension, 1))
        if overflow { return nil }
        product = next
      }
      if shape.contains(0) { return 0 }
      return product.isMultiple(of: 8) ? product / 8 : nil
    }

    private static func dataStart(_ file: MappedFile) throws(SDError) -> Int {
      let (path, bytes) = (file.path, file.bytes)
      guard bytes.count >= 8 else {
        throw SDError(.invalid, "\(path): \(bytes.count) bytes are no safetensors file, it has at least 8")
      }
      let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
      guard length <= UInt64(sizeLimit) else {
        throw SDError(
          .invalid,
          "\(path): not a safetensors file: the header would take \(length) bytes of at most \(sizeLimit)",
          hint: otherFormat(bytes))
      }
      guard length <= UInt64(bytes.count - 8) else {
        throw SDError(
          .invalid, "\(path): the header takes \(length) bytes, only \(bytes.count - 8) are there",
          hint: "The copy or download is incomplete.")
      }
      return 8 + Int(length)
    }

    /// What a file is that is often mistaken for a safetensors file.
    private static func otherFormat(_ bytes: UnsafeRawBufferPointer) -> String? {
      if bytes.starts(with: "PK\u{3}\u{4}".utf8) {
        return "It is a zip archive, perhaps a PyTorch checkpoint: convert it to safetensors."
      }
      if bytes.starts(with: [0x80, 0x02]) { return "It is a Python pickle: convert it to safetensors." }
      if bytes.starts(with: "version ".utf8) {
        return "It is a Git LFS pointer, not the file itself: run `git lfs pull`."
      }
      if bytes.starts(with: "<".utf8) { return "It is a web page, not the file: download it again." }
      return nil
    }

    private static func metadata(_ parser: inout JSON.Parser) throws(SDError) -> [String: String] {
      var metadata: [String: String] = [:]
      try parser.object { parser, key throws(SDError) in
        guard metadata[key] == nil else { throw parser.duplicate(key) }
        metadata[key] = try parser.string()
      }
      return metadata
    }

    private static func entry(
      _ name: String, _ parser: inout JSON.Parser, _ file: MappedFile, from start: Int, count: Int
    ) throws(SDError) -> Entry {
      func invalid(_ what: String) -> SDError {
        SDError(.invalid, "\(file.path): tensor \(JSON.quoted(name)) \(what)")
      }
      var type: String?
      var shape: [Int]?
      var offsets: [Int]?
      try parser.object { parser, key throws(SDError) in
        switch key {
        case "dtype" where type == nil: type = try parser.string()
        case "shape" where shape == nil:
          shape = try parser.naturals(limit: 8, excess: invalid("has more than 8 dimensions"))
        case "data_offsets" where offsets == nil:
          offsets = try parser.naturals(limit: 2, excess: invalid("has more than two data_offsets"))
        case "dtype", "shape", "data_offsets": throw parser.duplicate(key)
        default: throw parser.unknown(key)
        }
      }
      guard let type, let shape, let offsets, offsets.count == 2 else {
        throw invalid("must have a dtype, a shape and two data_offsets")
      }
      guard let bits = bits[type] else { throw invalid("has an unknown dtype: \(JSON.quoted(type))") }
      guard let size = byteCount(shape, bits: bits) else {
        throw invalid("has an impossible size: \(type) \(shape)")
      }
      let (begin, end) = (offsets[0], offsets[1])
      guard begin <= end, end - begin == size else {
        throw invalid("takes \(size) bytes (\(type) \(shape)), its data_offsets are \(offsets)")
      }
      guard end <= count else {
        var error = invalid("ends at byte \(end) of the data, the file holds \(count)")
        error.hint = "The copy or download is incomplete."
        throw error
      }
      return Entry(
        name: name, shape: shape, storedType: type, range: (start + begin)..<(start + end), file: file)
    }

    /// Checks that the ranges of the entries, in order, cover `data`.
    private static func checkCover(_ entries: inout [Entry], of data: Range<Int>, _ path: String)
      throws(SDError)
    {
      entries.sort { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
      var end = data.lowerBound
      for entry in entries {
        let begin = entry.range.lowerBound
        guard begin == end else {
          let relation = begin < end ? "overlaps" : "leaves a hole behind"
          throw SDError(
            .invalid,
            """
            \(path): tensor \(JSON.quoted(entry.name)) \(relation) the tensor before it: it begins at byte \
            \(begin - data.lowerBound) of the data, that ends at \(end - data.lowerBound)
            """)
        }
        end = entry.range.upperBound
      }
      guard end == data.upperBound else {
        throw SDError(
          .invalid, "\(path): \(data.upperBound - end) bytes behind the last tensor belong to none")
      }
    }
  }
}
