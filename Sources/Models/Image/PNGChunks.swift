import GraphIR

/// The chunks of a PNG file (PNG specification, third edition, section 5): length, type, data, CRC.
enum PNGChunks {
  struct Chunk {
    /// Four letters, "IHDR" …
    var type: String
    var data: ArraySlice<UInt8>
    /// The whole chunk with length and CRC.
    var bytes: ArraySlice<UInt8>
  }

  static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

  /// The chunks from IHDR to IEND, of which each has the right CRC.
  ///
  /// - Throws: `.invalid` if `bytes` is no PNG file, damaged or cut off.
  static func read(_ bytes: [UInt8], file: String) throws(SDError) -> [Chunk] {
    guard bytes.starts(with: signature) else {
      throw SDError(.invalid, "\(file): not a PNG file, the signature is missing")
    }
    var chunks: [Chunk] = []
    var rest = bytes.dropFirst(signature.count)
    while chunks.last?.type != "IEND" {
      let start = rest.startIndex
      guard rest.count >= 12, case let length = Int(rest.bigEndian(at: start)), length <= rest.count - 12
      else {
        throw SDError(.invalid, "\(file): the PNG file ends inside the chunk at byte \(start)")
      }
      let chunk = Chunk(
        type: String(decoding: rest[(start + 4)..<(start + 8)], as: UTF8.self),
        data: rest[(start + 8)..<(start + 8 + length)], bytes: rest.prefix(12 + length))
      guard rest.bigEndian(at: start + 8 + length) == checksum(rest[(start + 4)..<(start + 8 + length)])
      else {
        throw SDError(.invalid, "\(file): the PNG chunk at byte \(start) is damaged, its checksum is wrong")
      }
      chunks.append(chunk)
      rest = rest[chunk.bytes.endIndex...]
    }
    return chunks
  }

  /// A chunk's bytes; `type` is four letters.
  static func make(_ type: String, _ data: [UInt8]) -> [UInt8] {
    let body = Array(type.utf8) + data
    return bigEndian(UInt32(truncatingIfNeeded: data.count)) + body + bigEndian(checksum(body))
  }

  private static func bigEndian(_ value: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
  }

  /// CRC-32 (ISO 3309), polynomial 0xEDB88320 reflected.
  private static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
    ~bytes.reduce(~0) { crc, byte in crc >> 8 ^ table[Int(UInt8(truncatingIfNeeded: crc) ^ byte)] }
  }

  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { crc, _ in crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
  }
}

extension ArraySlice<UInt8> {
  /// The unsigned 32-bit number at `index`; four bytes must be there.
  func bigEndian(at index: Int) -> UInt32 {
    self[index..<(index + 4)].reduce(0) { $0 << 8 | UInt32($1) }
  }
}
