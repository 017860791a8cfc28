internal import CCrypto
package import GraphIR

/// A SHA-256 digest (FIPS 180-4): 32 bytes.
package struct Digest: Hashable, Sendable, CustomStringConvertible {
  /// The 32 bytes.
  package let bytes: [UInt8]

  /// A digest from its bytes; nil unless there are 32.
  package init?(bytes: [UInt8]) {
    guard bytes.count == 32 else { return nil }
    self.bytes = bytes
  }

  /// A digest from its 64 hexadecimal digits; nil for anything else.
  package init?(hex: String) {
    let digits = hex.utf8.compactMap { Character(Unicode.Scalar($0)).hexDigitValue.map(UInt8.init) }
    guard hex.utf8.count == 64, digits.count == 64 else { return nil }
    bytes = stride(from: 0, to: 64, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }

  /// The digest of `data`. Throws `.resources` if libcrypto fails.
  package init(of data: UnsafeRawBufferPointer) throws(SDError) {
    let hasher = SHA256()
    hasher.update(data)
    self = try hasher.finish()
  }

  /// The digest of `data`. Throws `.resources` if libcrypto fails.
  package init(of data: [UInt8]) throws(SDError) {
    self = try data.span.bytes.withUnsafeBytes { data throws(SDError) in try Digest(of: data) }
  }

  fileprivate init(unchecked bytes: [UInt8]) { self.bytes = bytes }

  /// 64 lower-case hexadecimal digits.
  package var description: String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}

/// SHA-256 of data that comes in pieces.
package final class SHA256 {
  private let context = EVP_MD_CTX_new()
  private var isValid: Bool

  /// A computation that has seen no data.
  package init() {
    isValid = EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1
  }

  deinit { EVP_MD_CTX_free(context) }

  /// Adds data.
  package func update(_ data: UnsafeRawBufferPointer) {
    isValid = isValid && EVP_DigestUpdate(context, data.baseAddress, data.count) == 1
  }

  /// The digest of all data; ends the computation. Throws `.resources` if libcrypto failed in any call.
  package func finish() throws(SDError) -> Digest {
    var bytes = [UInt8](repeating: 0, count: 32)
    guard isValid, EVP_DigestFinal_ex(context, &bytes, nil) == 1 else {
      throw SDError(.resources, "libcrypto cannot compute a SHA-256 digest")
    }
    isValid = false
    return Digest(unchecked: bytes)
  }
}
