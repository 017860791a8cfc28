/// The CRC-32C checksum (Castagnoli polynomial, reflected 0x82F63B78; RFC 3720 B.4): guards a few hundred bytes
/// against accidents. Sections are guarded by `Digest`.
package func crc32c(_ data: some Sequence<UInt8>) -> UInt32 {
  ~data.reduce(~0) { crc, byte in crcTable[Int(UInt8(truncatingIfNeeded: crc) ^ byte)] ^ crc >> 8 }
}

private let crcTable: [UInt32] = (0..<256).map { index in
  (0..<8).reduce(UInt32(index)) { crc, _ in crc & 1 == 0 ? crc >> 1 : crc >> 1 ^ 0x82F6_3B78 }
}
