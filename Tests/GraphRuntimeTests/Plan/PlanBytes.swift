import GraphIR
import GraphRuntime
import TestSupport

@testable import GraphRuntime

/// The bytes of a plan, to be damaged: fields by name, and checksums that can be set right again.
struct PlanBytes {
  var bytes: [UInt8]

  /// A plan of three sections: two weights, META, and an ancillary FALL.
  static func small() throws -> PlanBytes {
    try withTemporaryFolder { folder in
      let path = "\(folder)/small.sdplan"
      var writer = try PlanWriter(path, sectionCount: 3)
      try writer.begin(.weights, flags: [.critical, .lazy])
      for weight in [[UInt8](repeating: 1, count: 100), [2, 3]] { _ = try writer.append(weight.span.bytes) }
      try writer.add(.meta, Array("{\"a\":1}".utf8))
      try writer.add(.fallbacks, Array("{}".utf8), flags: [])
      _ = try writer.commit()
      return PlanBytes(bytes: get(path) ?? [])
    }
  }

  /// Opens the bytes as a file called `x.sdplan`; returns what it says instead of its path: `PLAN`.
  func open(mapped: Bool = true) throws(SDError) -> PlanFile {
    let file = try Result {
      try withTemporaryFolder { folder in
        let path = "\(folder)/x.sdplan"
        put(bytes, path)
        return Result { () throws(SDError) in try PlanFile(path, mapped: mapped) }.mapError {
          SDError($0.code, $0.message.replacing(path, with: "PLAN"), hint: $0.hint)
        }
      }
    }.mapError { SDError(.resources, "\($0)") }.get()
    return try file.get()
  }

  /// Overwrites an integer field, little-endian.
  mutating func set<Value: FixedWidthInteger>(_ value: Value, at offset: Int) {
    for index in 0..<MemoryLayout<Value>.size {
      bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index))
    }
  }

  /// Where a field of entry `index` of the section table lies.
  func entry(_ index: Int, _ field: Int) -> Int { PlanFormat.prologueBytes + index * PlanFormat.entryBytes + field }

  /// Sets the digest of the section table and the checksum of the prologue right.
  mutating func seal() throws {
    let count = Int(bytes[0x20])
    let table = Array(bytes[128..<min(bytes.count, 128 + 64 * count)])
    bytes.replaceSubrange(0x30..<0x50, with: try Digest(of: table).bytes)
    set(crc32c(bytes[..<124]), at: 124)
  }
}
