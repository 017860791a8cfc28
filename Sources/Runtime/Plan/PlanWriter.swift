package import GraphIR

/// Writes a plan file: sections one after the other, the prologue last, then the rename.
package struct PlanWriter: ~Copyable {
  private var file: AtomicFile
  private let sectionCount: Int
  private var sections: [PlanSection] = []
  private var end: Int

  /// Starts a plan of exactly `sectionCount` sections beside its target.
  ///
  /// - Throws: `SDError` (resources) when the folder cannot be written.
  package init(_ path: String, sectionCount: Int) throws(SDError) {
    file = try AtomicFile(path)
    self.sectionCount = sectionCount
    end = PlanFormat.prologueBytes + sectionCount * PlanFormat.entryBytes
  }

  /// Adds a whole section.
  ///
  /// - Throws: `SDError` (resources) when the disk is full.
  package mutating func add(
    _ kind: PlanSection.Kind, _ bytes: [UInt8], flags: PlanSection.Flags = .critical
  ) throws(SDError) {
    try begin(kind, flags: flags)
    _ = try append(bytes.span.bytes)
    sections[sections.count - 1].digest = try Digest(of: bytes)
  }

  /// Begins a section that is written piece by piece with `append`.
  ///
  /// - Throws: `SDError` (resources) when the file grows too large.
  package mutating func begin(_ kind: PlanSection.Kind, flags: PlanSection.Flags) throws(SDError) {
    let start = try aligned(end, PlanFormat.sectionAlignment)
    sections.append(
      PlanSection(name: kind.rawValue, flags: flags, offset: start, length: 0, digest: nil))
    end = start
  }

  /// Adds bytes to the last section, 64-byte aligned; returns their offset in it.
  ///
  /// - Throws: `SDError` (resources) when the disk is full.
  package mutating func append(_ bytes: RawSpan) throws(SDError) -> Int {
    let start = try aligned(end, PlanFormat.tensorAlignment)
    try bytes.withUnsafeBytes { (data) throws(SDError) in try file.write(data, at: start) }
    end = start + bytes.byteCount
    sections[sections.count - 1].length = end - sections[sections.count - 1].offset
    return start - sections[sections.count - 1].offset
  }

  /// Writes table and prologue and gives the file its name; returns the plan's id.
  ///
  /// The id is the SHA-256 of the section table, and so of everything but the weights' bytes; those have their
  /// digests in the weight table.
  ///
  /// - Throws: `SDError` (resources) when the disk is full.
  package consuming func commit() throws(SDError) -> Digest {
    precondition(sections.count == sectionCount, "a plan of \(sectionCount) sections has \(sections.count)")
    var table = FieldWriter()
    for section in sections { section.write(to: &table) }
    let id = try Digest(of: table.bytes)
    var prologue = FieldWriter(bytes: PlanFormat.signature)
    prologue.put(PlanFormat.major)
    prologue.put(PlanFormat.minor)
    prologue.put(UInt32(PlanFormat.prologueBytes))
    prologue.put(UInt64(end))
    prologue.put(UInt64(PlanFormat.prologueBytes))
    prologue.put(UInt32(sectionCount))
    prologue.put(UInt32(PlanFormat.entryBytes))
    prologue.put(UInt64(0))  // features a reader must have: none
    prologue.bytes += id.bytes
    prologue.pad(to: PlanFormat.prologueBytes - 4)
    prologue.put(crc32c(prologue.bytes))
    let head = prologue.bytes + table.bytes
    try head.span.bytes.withUnsafeBytes { (data) throws(SDError) in try file.write(data, at: 0) }
    if end > file.size {  // an empty last section has written nothing
      let last: [UInt8] = [0]
      try last.span.bytes.withUnsafeBytes { (data) throws(SDError) in try file.write(data, at: end - 1) }
    }
    try file.commit()
    return id
  }

  private func aligned(_ value: Int, _ alignment: Int) throws(SDError) -> Int {
    guard let result = PlanFormat.aligned(value, to: alignment) else {
      throw SDError(.resources, "the plan is too large for a file")
    }
    return result
  }
}

extension PlanSection {
  fileprivate func write(to table: inout FieldWriter) {
    let start = table.bytes.count
    table.bytes += Array(name.utf8.prefix(4))
    table.put(flags.rawValue)
    table.put(UInt64(offset))
    table.put(UInt64(length))
    table.put(UInt32(digest == nil ? 0 : 1))
    table.pad(to: start + 32)
    table.bytes += digest?.bytes ?? [UInt8](repeating: 0, count: 32)
  }
}
