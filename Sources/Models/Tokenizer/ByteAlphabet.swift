/// The printable stand-ins of the 256 bytes, in which vocabulary files spell their tokens.
///
/// A byte that is a printable Latin-1 character stands for itself; the 68 others (controls, space,
/// no-break space, soft hyphen) take U+0100, U+0101 … in byte order. From the GPT-2 encoder, which CLIP uses.
package enum ByteAlphabet {
  /// Suffix of the symbol that ends a word.
  package static let wordEnd = "</w>"

  /// The bytes in the order in which CLIP numbers their tokens: the printable ones first.
  package static let order: [UInt8] = (0...255).filter(isPrintable) + (0...255).filter { !isPrintable($0) }

  /// The symbol of each byte; index = byte.
  package static let symbols: [String] = {
    var symbols = (0...255).map { String(Unicode.Scalar(UInt8($0))) }
    for (i, byte) in order.drop(while: isPrintable).enumerated() {
      symbols[Int(byte)] = Unicode.Scalar(UInt32(0x100 + i)).map { String($0) } ?? ""
    }
    return symbols
  }()

  /// The first 512 tokens of every CLIP vocabulary: each byte inside a word, then each byte at its end.
  package static let tokens: [String] =
    order.map { symbols[Int($0)] } + order.map { symbols[Int($0)] + wordEnd }

  private static func isPrintable(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: true
    default: false
    }
  }
}
