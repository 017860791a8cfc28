import Glibc
import GraphIR
import GraphRuntime
import TestSupport
import Testing

@testable import GraphRuntime

struct PlanFileTests {
  private let plan: PlanBytes

  init() throws { plan = try PlanBytes.small() }

  /// Damages the plan, sets its checksums right, and expects a refusal.
  private func refuse(
    _ code: SDError.Code, _ message: String, sourceLocation: SourceLocation = #_sourceLocation,
    _ damage: (inout PlanBytes) -> Void
  ) throws {
    var plan = plan
    damage(&plan)
    try plan.seal()
    expectError(code, "cannot load 'PLAN': \(message)", sourceLocation: sourceLocation) { try plan.open() }
  }

  private static let again = "Copy it again, or recompile."

  @Test(arguments: [true, false]) func roundTrip(mapped: Bool) throws {
    let file = try plan.open(mapped: mapped)
    #expect(file.sections.map(\.name) == ["WDAT", "META", "FALL"])
    #expect(file.sections.map(\.offset) == [4096, 8192, 12288])
    #expect(file.sections.map(\.length) == [130, 7, 2])
    #expect(file.sections.map(\.flags) == [[.critical, .lazy], .critical, []])
    #expect(file.sections[0].digest == nil && file.sections[1].digest != nil)
    #expect(file.byteCount == 12290)
    let weights = Array(try file.section(.weights))
    #expect(weights == [UInt8](repeating: 1, count: 100) + [UInt8](repeating: 0, count: 28) + [2, 3])
    #expect(try Array(file.section(.meta)) == Array("{\"a\":1}".utf8))
    #expect(file[.graphs] == nil)
    let path = file.path
    expectError(.invalid, "cannot load '\(path)': section GRPH is missing. Recompile it.") { try file.section(.graphs) }
    #expect(file.id.bytes == Array(plan.bytes[0x30..<0x50]))
  }

  /// Every prefix of the file is refused, whatever is missing.
  @Test func truncated() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/x.sdplan"
      let count = plan.bytes.count
      put(plan.bytes, path)
      for length in (0..<count).reversed() {
        try #require(truncate(path, length) == 0)
        let reason =
          switch length {
          case 0: "the file is empty"
          case 1..<128: "the file has \(length) bytes: the copy or download is incomplete."
          default: "the file has \(length) bytes but should have \(count): the copy or download is incomplete."
          }
        expectError(.invalid, "cannot load '\(path)': \(reason)") { try PlanFile(path) }
      }
    }
  }

  /// Every bit of prologue and table is guarded.
  @Test func flippedBits() throws {
    for bit in 0..<8 * (128 + 3 * 64) {
      var damaged = plan
      damaged.bytes[bit / 8] ^= 1 << (bit % 8)
      let reason =
        switch bit / 8 {
        case 0, 4..<8:
          "the file was changed in transfer (line endings converted). Copy it again in binary mode."
        case 1..<4: "not a plan. sd-compile makes plans."
        case 8..<128: "its header is damaged (checksum differs). \(Self.again)"
        default: "its section table is damaged (digest differs). \(Self.again)"
        }
      expectError(.invalid, "cannot load 'PLAN': \(reason)") { try damaged.open() }
    }
  }

  /// Every bit of a section that is checked at opening, and of the gaps between sections.
  @Test func flippedContent() throws {
    for index in (4096 + 130..<8192) where index % 97 == 0 {
      var damaged = plan
      damaged.bytes[index] = 1
      expectError(.invalid, "cannot load 'PLAN': there are bytes between its sections. \(Self.again)") {
        try damaged.open()
      }
    }
    for (index, name) in [(8192, "META"), (8198, "META"), (12288, "FALL"), (12289, "FALL")] {
      for bit in 0..<8 {
        var damaged = plan
        damaged.bytes[index] ^= 1 << bit
        expectError(.invalid, "cannot load 'PLAN': section '\(name)' is damaged (digest differs). \(Self.again)") {
          try damaged.open()
        }
      }
    }
    // Weights are too large to be read at every start; the weight table has their digests.
    var damaged = plan
    damaged.bytes[4096] ^= 1
    _ = try damaged.open()
  }

  @Test func versions() throws {
    try refuse(
      .incompatible, "written in plan format 3.7, this reads 2.x. Recompile it here."
    ) {
      $0.set(3 as UInt16, at: 8)
      $0.set(7 as UInt16, at: 10)
    }
    for (field, value) in [(0x28, 1), (0x0C, 192), (0x18, 192), (0x24, 72)] {
      try refuse(.incompatible, "it needs features that this version does not have. Upgrade.") {
        $0.set(UInt32(value), at: field)
      }
    }
    // A newer minor version adds only what may be ignored.
    var newer = plan
    newer.set(9 as UInt16, at: 10)
    try newer.seal()
    #expect(try newer.open().sections.count == 3)
  }

  @Test func unknownSections() throws {
    try refuse(.incompatible, "section 'X?YZ' is unknown to this version. Upgrade.") {
      $0.bytes.replaceSubrange($0.entry(1, 0)..<$0.entry(1, 4), with: [0x58, 0x07, 0x59, 0x5A])
    }
    var ancillary = plan
    ancillary.bytes.replaceSubrange(ancillary.entry(2, 0)..<ancillary.entry(2, 4), with: "TUNE".utf8)
    try ancillary.seal()
    let file = try ancillary.open()
    #expect(file.sections.map(\.name) == ["WDAT", "META", "TUNE"])
    #expect(file[.fallbacks] == nil)
  }

  @Test func sectionTables() throws {
    let outside = "lies outside the file or over another one. \(Self.again)"
    for offset in [4097, 0, 4096, 1 << 40, UInt64.max - 4095] {
      try refuse(.invalid, "section 'META' \(outside)") { $0.set(offset, at: $0.entry(1, 8)) }
    }
    for length in [4099, UInt64.max, 1 << 63] {
      try refuse(.invalid, "section 'META' \(outside)") { $0.set(length, at: $0.entry(1, 16)) }
    }
    try refuse(.invalid, "section 'META' \(outside)") {
      $0.set(4097 as UInt64, at: $0.entry(0, 16))  // the section before it ends behind its beginning
    }
    try refuse(.invalid, "section 'META' has no digest. \(Self.again)") { $0.set(0 as UInt32, at: $0.entry(1, 24)) }
    try refuse(.invalid, "there are bytes behind its last section. \(Self.again)") {
      $0.bytes.append(0)
      $0.set(UInt64($0.bytes.count), at: 0x10)
    }
    try refuse(.invalid, "there are bytes behind its last section. \(Self.again)") {
      $0.set(2 as UInt32, at: 0x20)
      $0.bytes.replaceSubrange($0.entry(2, 0)..<$0.entry(3, 0), with: [UInt8](repeating: 0, count: 64))
    }
    for count in [65, 255, UInt32.max] {
      try refuse(.invalid, "its section table lies outside the file. \(Self.again)") { $0.set(count, at: 0x20) }
    }
    try refuse(.invalid, "its section table lies outside the file. \(Self.again)") {
      $0.bytes.removeSubrange(256...)
      $0.set(256 as UInt64, at: 0x10)
    }
    try refuse(.invalid, "the file has 12290 bytes but should have 12289: something was added to it.") {
      $0.set(12289 as UInt64, at: 0x10)
    }
  }

  /// Extreme and random values in every field, checksums set right: an error or a plan, never a trap.
  @Test func randomFields() throws {
    var generator = SystemRandomNumberGenerator()
    let fields =
      [8, 12, 16, 24, 32, 36, 40] + (0..<3).flatMap { e in stride(from: 0, to: 32, by: 4).map { plan.entry(e, $0) } }
    var (opened, refused) = (0, 0)
    for field in fields {
      for value in [
        0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE, 0xFFFF_FFFF, UInt32.random(in: 0...(.max), using: &generator),
      ] {
        var damaged = plan
        damaged.set(value, at: field)
        try damaged.seal()
        do {
          _ = try damaged.open()
          opened += 1
        } catch {
          #expect([.invalid, .incompatible].contains(error.code), "field \(field) = \(value): \(error)")
          refused += 1
        }
      }
    }
    #expect(refused > 150 && opened > 0)
  }

  @Test(arguments: [
    ("PK\u{3}\u{4}", " (it seems to be a zip: a .ckpt or .pt checkpoint, or an archive)"),
    ("GGUF", " (it seems to be a GGUF model)"),
    ("\u{1F}\u{8B}\u{8}", " (it seems to be a gzip archive)"),
    ("\u{80}\u{2}}q", " (it seems to be a pickle: a legacy .ckpt or .pt checkpoint)"),
    ("\u{7F}ELF\u{2}", " (it seems to be a program)"),
    ("<html><head>", " (it seems to be a web page: the download went wrong)"),
    ("<!DOCTYPE html>", " (it seems to be a web page: the download went wrong)"),
    (
      "\u{10}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}{\"a\":",
      " (it seems to be safetensors weights: give sd-compile the model's folder)"
    ),
    ("{\"a\": 1}", " (it seems to be JSON)"),
    ("\u{89}PNG\r\n", " (it seems to be a PNG picture)"),
    (
      "version https://git-lfs.github.com", " (it seems to be a Git LFS pointer: fetch the real file with git lfs pull)"
    ),
    ("SDP\r\n", ""),
  ])
  func foreignFiles(start: String, guess: String) {
    let bytes = start.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
    expectError(.invalid, "cannot load 'PLAN': not a plan\(guess). sd-compile makes plans.") {
      try PlanBytes(bytes: bytes).open()
    }
  }

  /// What transfers in text mode do to the first bytes.
  @Test(arguments: [
    [0x89, 0x53, 0x44, 0x50, 0x0A, 0x1A, 0x0A, 1], [0x09, 0x53, 0x44, 0x50, 0x0D, 0x0A, 0x1A, 0x0A],
    [0x89, 0x53, 0x44, 0x50, 0x0D, 0x0D, 0x0A, 0x1A],
  ])
  func textTransfers(start: [UInt8]) {
    expectError(
      .invalid,
      "cannot load 'PLAN': the file was changed in transfer (line endings converted). Copy it again in binary mode."
    ) {
      try PlanBytes(bytes: start + plan.bytes[8...]).open()
    }
  }
}
