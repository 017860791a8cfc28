/// A word of the text form.
enum Token: Equatable {
  /// `sd.conv2d`, `graph`, `true`.
  case word(String)
  /// `"unet.conv_in"`, without quotes and escapes.
  case string(String)
  /// `-1.5e-07`, by its literal.
  case number(String)
  /// `%12`.
  case value(Int)
  /// One of `{ } [ ] ( ) = , : #`.
  case symbol(Character)
  /// The end of the text.
  case end
}

extension Token: CustomStringConvertible {
  /// The token as error messages show it.
  var description: String {
    switch self {
    case .word(let text), .number(let text): "'\(text)'"
    case .string(let text): text.utf8.count <= 64 ? text.quoted : "a text of \(text.utf8.count) bytes"
    case .value(let number): "'%\(number)'"
    case .symbol(let symbol): "'\(symbol)'"
    case .end: "the end of the text"
    }
  }
}

/// Cuts a text into tokens. Blanks and line ends only separate.
struct Lexer {
  private let bytes: [UInt8]
  private var position = 0
  /// Where the last token begins, in bytes.
  private(set) var start = 0

  init(_ text: String) { bytes = Array(text.utf8) }

  /// An error at a position of the text.
  func error(
    _ message: String, at offset: Int, code: SDError.Code = .invalid, hint: String? = nil
  ) -> SDError {
    let (line, column) = place(of: offset)
    return SDError(code, "graph text, line \(line), column \(column): \(message)", hint: hint)
  }

  /// Line and column (in Unicode scalars), both from 1.
  func place(of offset: Int) -> (line: Int, column: Int) {
    let newline = UInt8(ascii: "\n")
    let before = bytes[..<min(offset, bytes.count)]
    let lineStart = before.lastIndex(of: newline).map { $0 + 1 } ?? 0
    let column = before[lineStart...].count { $0 & 0xC0 != 0x80 }
    return (before.count { $0 == newline } + 1, column + 1)
  }

  private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skip(while condition: (UInt8) -> Bool) -> Range<Int> {
    let begin = position
    while let byte = current, condition(byte) { position += 1 }
    return begin..<position
  }

  private func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

  /// The next token.
  mutating func next() throws(SDError) -> Token {
    _ = skip { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\t") }
    start = position
    guard let byte = current else { return .end }
    if byte.startsWord { return .word(try limited(skip(while: \.continuesWord), "a word")) }
    if byte.isDigit || byte == UInt8(ascii: "-") { return try number() }
    position += 1
    switch byte {
    case UInt8(ascii: "%"):
      let digits = try limited(skip(while: \.isDigit), "a value's number")
      guard let number = Int(digits) else {
        throw error("'%' must be followed by a value's number", at: start)
      }
      return .value(number)
    case UInt8(ascii: "\""): return .string(try string())
    default:
      let symbol = Character(Unicode.Scalar(byte))
      guard "{}[]()=,:#".contains(symbol) else { throw unexpected() }
      return .symbol(symbol)
    }
  }

  private func unexpected() -> SDError {
    let scalar = text(start..<min(start + 4, bytes.count)).unicodeScalars.prefix(1)
    return error("unexpected character \(String(scalar).quoted)", at: start)
  }

  private func limited(_ range: Range<Int>, _ what: String) throws(SDError) -> String {
    guard range.count <= Verifier.maximumNameLength else {
      throw error("\(what) has \(range.count) bytes; 256 are allowed", at: range.lowerBound)
    }
    return text(range)
  }

  /// `-`? digits (`.` digits)? (`e` sign? digits)?, or `-inf`.
  private mutating func number() throws(SDError) -> Token {
    if current == UInt8(ascii: "-") { position += 1 }
    if current?.startsWord == true {
      let word = try limited(skip(while: \.continuesWord), "a word")
      guard word == "inf" else { throw error("'-\(word)' is not a number", at: start) }
      return .number("-inf")
    }
    var valid = !skip(while: \.isDigit).isEmpty
    if current == UInt8(ascii: ".") {
      position += 1
      valid = !skip(while: \.isDigit).isEmpty && valid
    }
    if current == UInt8(ascii: "e") {
      position += 1
      if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
      valid = !skip(while: \.isDigit).isEmpty && valid
    }
    valid = skip(while: \.continuesWord).isEmpty && valid
    let literal = try limited(start..<position, "a number")
    guard valid else { throw error("'\(literal)' is not a number", at: start) }
    return .number(literal)
  }

  /// The rest of a string behind its opening quote.
  private mutating func string() throws(SDError) -> String {
    var result = ""
    while true {
      let plain = skip { $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") && $0 != UInt8(ascii: "\n") }
      result += text(plain)
      guard let byte = current, byte != UInt8(ascii: "\n") else {
        throw error("the text that begins here has no closing quote on its line", at: start)
      }
      position += 1
      if byte == UInt8(ascii: "\"") { return result }
      result.unicodeScalars.append(try escape())
    }
  }

  /// What stands behind a backslash.
  private mutating func escape() throws(SDError) -> Unicode.Scalar {
    let begin = position - 1
    let byte = current
    position += byte == nil ? 0 : 1
    switch byte {
    case UInt8(ascii: "\""): return "\""
    case UInt8(ascii: "\\"): return "\\"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u") where current == UInt8(ascii: "{"):
      position += 1
      let digits = skip { $0.isDigit || (UInt8(ascii: "A")...UInt8(ascii: "F")).contains($0) }
      if current == UInt8(ascii: "}"), digits.count <= 6, let value = UInt32(text(digits), radix: 16),
        let scalar = Unicode.Scalar(value)
      {
        position += 1
        return scalar
      }
    default: break
    }
    throw error("unknown escape; there are \\\", \\\\, \\n, \\t and \\u{7F}", at: begin)
  }
}
