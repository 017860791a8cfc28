import GraphIR
import GraphRuntime
import TestSupport
import Testing

struct DigestTests {
  // FIPS 180-4 examples.
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
  ])
  func sha256(text: String, digest: String) throws {
    #expect(try Digest(of: Array(text.utf8)).description == digest)
  }

  @Test func inPieces() throws {
    let data = (0..<1000).map { UInt8(truncatingIfNeeded: $0) }
    let hasher = SHA256()
    data.withUnsafeBytes { data in
      hasher.update(.init(rebasing: data[..<1]))
      hasher.update(.init(start: nil, count: 0))
      hasher.update(.init(rebasing: data[1..<77]))
      hasher.update(.init(rebasing: data[77...]))
    }
    let digest = try hasher.finish()
    #expect(try digest == Digest(of: data))
    #expect(Digest(bytes: digest.bytes) == digest)
    #expect(Digest(bytes: [1, 2]) == nil)
    #expect(
      failure { try hasher.finish() } == SDError(.resources, "libcrypto cannot compute a SHA-256 digest"))
  }

  @Test func crc() {
    #expect(crc32c("123456789".utf8) == 0xE306_9283)
    #expect(crc32c([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)  // RFC 3720 B.4
    #expect(crc32c([]) == 0)
  }
}
