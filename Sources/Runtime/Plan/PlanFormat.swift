/// The layout of a plan file: a prologue, a table of sections, and the sections. `Documentation/PlanFormat.md`.
package enum PlanFormat {
  /// First bytes of every plan. A transfer in text mode or over seven bits changes them.
  package static let signature: [UInt8] = [0x89, 0x53, 0x44, 0x50, 0x0D, 0x0A, 0x1A, 0x0A]
  /// Readers refuse another major version.
  package static let major: UInt16 = 2
  /// A larger minor version adds what readers may ignore, or refuse by name.
  package static let minor: UInt16 = 3
  /// Bytes of the prologue.
  package static let prologueBytes = 128
  /// Bytes of one entry of the section table, which follows the prologue.
  package static let entryBytes = 64
  /// Largest number of sections.
  package static let sectionLimit = 64
  /// Sections begin at multiples of this: a page.
  package static let sectionAlignment = 4096
  /// Tensors begin at multiples of this inside their section: a cache line.
  package static let tensorAlignment = 64

  /// `value` rounded up to a multiple of `alignment`; nil when that overflows.
  package static func aligned(_ value: Int, to alignment: Int) -> Int? {
    let (sum, overflow) = value.addingReportingOverflow(alignment - 1)
    return overflow ? nil : sum / alignment * alignment
  }
}

/// One section: four characters that say what it holds, where it lies, and its digest.
package struct PlanSection: Hashable, Sendable {
  /// What sections hold.
  package enum Kind: String, Sendable, CaseIterable {
    /// Canonical JSON: what was compiled, how, and what it needs.
    case meta = "META"
    /// The graphs as text.
    case graphs = "GRPH"
    /// The weight table.
    case weightTable = "WTOC"
    /// The weights.
    case weights = "WDAT"
    /// Vocabulary and merges of the tokenizer.
    case tokenizer = "TOKN"
    /// The scheduler's configuration.
    case scheduler = "SCHD"
    /// Decompositions of operations from outside.
    case fallbacks = "FALL"
    /// How convolutions were measured to run fastest on one machine.
    case tuning = "TUNE"
    /// Which kernels for GPUs there are.
    case kernelTable = "KTOC"
    /// Kernels for GPUs.
    case kernels = "KDAT"
  }

  /// What is done with an unknown section, and how its digest is checked.
  package struct Flags: OptionSet, Hashable, Sendable {
    /// The bits of the file.
    package let rawValue: UInt32
    /// Flags from their bits.
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    /// A reader that does not know it must refuse the file.
    package static let critical = Flags(rawValue: 1)
    /// Too large to be read when the file is opened: its parts carry digests of their own.
    package static let lazy = Flags(rawValue: 4)
  }

  /// The four characters.
  package var name: String
  /// See `Flags`.
  package var flags: Flags
  /// First byte in the file.
  package var offset: Int
  /// Bytes.
  package var length: Int
  /// SHA-256 of the bytes; nil for a lazy section.
  package var digest: Digest?
}

/// Little-endian fields of fixed-size records.
struct FieldWriter {
  var bytes: [UInt8] = []

  mutating func put(_ value: some FixedWidthInteger) {
    withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
  }

  mutating func pad(to count: Int) { bytes += [UInt8](repeating: 0, count: max(0, count - bytes.count)) }
}

/// Reads little-endian fields; the record must be long enough for what is asked.
struct FieldReader {
  let bytes: UnsafeRawBufferPointer
  var position = 0

  mutating func get<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) -> Value {
    defer { position += MemoryLayout<Value>.size }
    return Value(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: Value.self))
  }

  mutating func get(bytes count: Int) -> [UInt8] {
    defer { position += count }
    return Array(bytes[position..<position + count])
  }
}
