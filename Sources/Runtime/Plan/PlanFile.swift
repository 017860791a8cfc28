package import GraphIR

/// A plan file that was opened: mapped, its frame checked, its sections located. Nothing in it is executed.
///
/// Checks in this order: signature, prologue checksum, version, file size, section table digest, bounds of sections,
/// zero gaps, digests of all sections but the lazy ones. Nothing is allocated from a length in the file.
package final class PlanFile: Sendable {
  /// The path as it was given.
  package let path: String
  /// SHA-256 of the section table; names the plan in pictures and messages.
  package let id: Digest
  /// Size of the file.
  package var byteCount: Int { file.bytes.count }
  /// All sections in file order.
  package let sections: [PlanSection]
  private let file: MappedFile

  /// Opens and checks a plan.
  ///
  /// - Parameter mapped: false reads the file into memory instead of mapping it.
  /// - Throws: `SDError`: invalid for a damaged or foreign file, incompatible for a newer format.
  package init(_ path: String, mapped: Bool = true) throws(SDError) {
    self.path = path
    file = try MappedFile(path, mapped: mapped)
    let frame = PlanFrame(path: path, bytes: file.bytes)
    (id, sections) = try frame.read()
  }

  /// The bytes of a section, nil when there is none.
  package subscript(kind: PlanSection.Kind) -> UnsafeRawBufferPointer? {
    sections.first { $0.name == kind.rawValue }.map {
      UnsafeRawBufferPointer(rebasing: file.bytes[$0.offset..<$0.offset + $0.length])
    }
  }

  /// The bytes of a section that every plan has.
  ///
  /// - Throws: `SDError` (invalid) when it is missing.
  package func section(_ kind: PlanSection.Kind) throws(SDError) -> UnsafeRawBufferPointer {
    guard let bytes = self[kind] else {
      throw SDError(.invalid, "cannot load '\(path)': section \(kind.rawValue) is missing. Recompile it.")
    }
    return bytes
  }
}

/// The checks of a plan's frame.
private struct PlanFrame {
  let path: String
  let bytes: UnsafeRawBufferPointer

  func read() throws(SDError) -> (Digest, [PlanSection]) {
    try checkSignature()
    let size = PlanFormat.prologueBytes
    guard bytes.count >= size else { throw wrongLength(expected: nil) }
    var fields = FieldReader(bytes: bytes, position: PlanFormat.signature.count)
    let (major, minor): (UInt16, UInt16) = (fields.get(), fields.get())
    let length: UInt32 = fields.get()
    let fileSize: UInt64 = fields.get()
    let tableOffset: UInt64 = fields.get()
    let (count, entry): (UInt32, UInt32) = (fields.get(), fields.get())
    let features: UInt64 = fields.get()
    let id = fields.get(bytes: 32)
    fields.position = size - 4
    let checksum: UInt32 = fields.get()
    guard crc32c(bytes[..<(size - 4)]) == checksum else { throw damaged("its header is damaged (checksum differs)") }
    guard major == PlanFormat.major else {
      throw SDError(
        .incompatible,
        "cannot load '\(path)': written in plan format \(major).\(minor), this reads \(PlanFormat.major).x. "
          + "Recompile it here.")
    }
    guard features == 0, length == size, tableOffset == size, entry == PlanFormat.entryBytes else {
      throw SDError(
        .incompatible, "cannot load '\(path)': it needs features that this version does not have. Upgrade.")
    }
    guard fileSize == bytes.count else { throw wrongLength(expected: fileSize) }
    guard count <= PlanFormat.sectionLimit, size + Int(count) * PlanFormat.entryBytes <= bytes.count else {
      throw damaged("its section table lies outside the file")
    }
    let table = UnsafeRawBufferPointer(rebasing: bytes[size..<size + Int(count) * PlanFormat.entryBytes])
    guard let digest = Digest(bytes: id), try Digest(of: table) == digest else {
      throw damaged("its section table is damaged (digest differs)")
    }
    return (digest, try sections(table, count: Int(count)))
  }

  private func sections(_ table: UnsafeRawBufferPointer, count: Int) throws(SDError) -> [PlanSection] {
    var sections: [PlanSection] = []
    var end = PlanFormat.prologueBytes + table.count
    for index in 0..<count {
      var fields = FieldReader(bytes: table, position: index * PlanFormat.entryBytes)
      let name = String(decoding: fields.get(bytes: 4), as: UTF8.self)
      let flags = PlanSection.Flags(rawValue: fields.get())
      let (offset, length): (UInt64, UInt64) = (fields.get(), fields.get())
      let hasDigest = fields.get(UInt32.self) == 1
      fields.position = index * PlanFormat.entryBytes + 32
      let digest = hasDigest ? Digest(bytes: fields.get(bytes: 32)) : nil
      guard offset % UInt64(PlanFormat.sectionAlignment) == 0, offset >= end, offset <= bytes.count,
        length <= UInt64(bytes.count) - offset
      else { throw damaged("section \(printable(name)) lies outside the file or over another one") }
      guard bytes[end..<Int(offset)].allSatisfy({ $0 == 0 }) else {
        throw damaged("there are bytes between its sections")
      }
      guard flags.contains(.lazy) || digest != nil else { throw damaged("section \(printable(name)) has no digest") }
      let section = PlanSection(
        name: name, flags: flags, offset: Int(offset), length: Int(length), digest: digest)
      try check(section)
      sections.append(section)
      end = section.offset + section.length
    }
    guard end == bytes.count else { throw damaged("there are bytes behind its last section") }
    return sections
  }

  private func check(_ section: PlanSection) throws(SDError) {
    if PlanSection.Kind(rawValue: section.name) == nil, section.flags.contains(.critical) {
      throw SDError(
        .incompatible,
        "cannot load '\(path)': section \(printable(section.name)) is unknown to this version. Upgrade.")
    }
    let content = UnsafeRawBufferPointer(rebasing: bytes[section.offset..<section.offset + section.length])
    guard let digest = section.digest else { return }
    guard try Digest(of: content) == digest else {
      throw damaged("section \(printable(section.name)) is damaged (digest differs)")
    }
  }

  private func checkSignature() throws(SDError) {
    let head = Array(bytes.prefix(PlanFormat.signature.count))
    if head == PlanFormat.signature { return }
    if bytes.isEmpty { throw SDError(.invalid, "cannot load '\(path)': the file is empty") }
    if head == Array(PlanFormat.signature.prefix(head.count)) { throw wrongLength(expected: nil) }
    if Array(head.dropFirst().prefix(3)) == Array("SDP".utf8) {
      throw SDError(
        .invalid,
        "cannot load '\(path)': the file was changed in transfer (line endings converted). "
          + "Copy it again in binary mode.")
    }
    throw SDError(.invalid, "cannot load '\(path)': not a plan\(ForeignFile.guess(bytes)). sd-compile makes plans.")
  }

  private func wrongLength(expected: UInt64?) -> SDError {
    let wanted = expected.map { " but should have \($0)" } ?? ""
    let isLonger = expected.map { $0 < bytes.count } ?? false
    let reason = isLonger ? "something was added to it." : "the copy or download is incomplete."
    return SDError(.invalid, "cannot load '\(path)': the file has \(bytes.count) bytes\(wanted): \(reason)")
  }

  private func damaged(_ what: String) -> SDError {
    SDError(.invalid, "cannot load '\(path)': \(what). Copy it again, or recompile.")
  }

  private func printable(_ name: String) -> String {
    "'" + String(name.unicodeScalars.map { $0.isASCII && $0.value >= 32 && $0.value != 127 ? Character($0) : "?" })
      + "'"
  }
}

/// Says what a file that is not a plan seems to be.
enum ForeignFile {
  /// ` (it seems to be …)`, or nothing.
  static func guess(_ bytes: UnsafeRawBufferPointer) -> String {
    let known: [([UInt8], String)] = [
      (Array("PK\u{3}\u{4}".utf8), "a zip: a .ckpt or .pt checkpoint, or an archive"),
      ([0x89, 0x50, 0x4E, 0x47], "a PNG picture"),
      (Array("GGUF".utf8), "a GGUF model"),
      ([0x1F, 0x8B], "a gzip archive"),
      ([0x80, 0x02], "a pickle: a legacy .ckpt or .pt checkpoint"),
      ([0x7F, 0x45, 0x4C, 0x46], "a program"),
      (Array("<!DOCTYPE".utf8), "a web page: the download went wrong"),
      (Array("<html".utf8), "a web page: the download went wrong"),
      (Array("version https://git-lfs".utf8), "a Git LFS pointer: fetch the real file with git lfs pull"),
    ]
    for (start, meaning) in known where bytes.starts(with: start) { return " (it seems to be \(meaning))" }
    if bytes.count > 9, bytes[8] == UInt8(ascii: "{"), bytes[..<8].suffix(4).allSatisfy({ $0 == 0 }) {
      return " (it seems to be safetensors weights: give sd-compile the model's folder)"
    }
    if bytes.first == UInt8(ascii: "{") { return " (it seems to be JSON)" }
    return ""
  }
}
