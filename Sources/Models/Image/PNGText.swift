/// A keyword and its text, as PNG files carry them: tEXt in Latin-1, iTXt in UTF-8.
public struct PNGText: Hashable, Sendable {
  /// "parameters" for what a picture was drawn with; 1 to 79 Latin-1 characters.
  public var keyword: String
  /// Any text; U+0000, which PNG has no room for, is stored as U+FFFD.
  public var text: String

  /// A text for a keyword.
  public init(keyword: String, text: String) {
    self.keyword = keyword
    self.text = text
  }

  /// The chunk: tEXt if the text is Latin-1, else iTXt, as Pillow chooses; nil if the keyword breaks PNG's rules.
  var chunk: [UInt8]? {
    guard let key = Self.latin1(keyword), (1...79).contains(key.count), !key.contains(0) else { return nil }
    let storable = String.UnicodeScalarView(text.unicodeScalars.map { $0 == "\0" ? "\u{FFFD}" : $0 })
    if let latin1 = Self.latin1(String(storable)) { return PNGChunks.make("tEXt", key + [0] + latin1) }
    // Not compressed, method 0, no language, no translated keyword.
    return PNGChunks.make("iTXt", key + [0, 0, 0, 0, 0] + Array(String(storable).utf8))
  }

  /// The text of a tEXt or uncompressed iTXt chunk, nil for any other.
  init?(_ chunk: PNGChunks.Chunk) {
    let parts = chunk.data.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else { return nil }
    let text: String
    switch chunk.type {
    case "tEXt": text = Self.string(parts[1])
    case "iTXt":
      // Compression flag and method, then language and translated keyword, each up to a zero byte.
      let fields = parts[1].dropFirst(2).split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false)
      guard parts[1].first == 0, fields.count == 3 else { return nil }
      text = String(decoding: fields[2], as: UTF8.self)
    default: return nil
    }
    self.init(keyword: Self.string(parts[0]), text: text)
  }

  private static func latin1(_ text: String) -> [UInt8]? {
    let bytes = text.unicodeScalars.compactMap { UInt8(exactly: $0.value) }
    return bytes.count == text.unicodeScalars.count ? bytes : nil
  }

  private static func string(_ latin1: ArraySlice<UInt8>) -> String {
    String(String.UnicodeScalarView(latin1.map { Unicode.Scalar($0) }))
  }
}
