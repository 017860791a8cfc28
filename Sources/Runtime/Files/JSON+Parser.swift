package import GraphIR

extension JSON {
  /// A pull parser of strict JSON (RFC 8259): the caller asks for what must come next.
  ///
  /// Text is UTF-8 without overlong forms or surrogates, nesting ends at 64, and no length is believed: memory
  /// grows only with the text that was read. `value()` builds any value; readers of large headers ask for
  /// `object`, `string`, `naturals` instead and build nothing else. Names that are equal as Swift strings count as equal.
  package struct Parser {
    /// The number of arrays and objects that may be open at once.
    package static let nestingLimit = 64

    /// The offset of the next byte.
    package private(set) var position = 0
    private var keyPosition = 0
    private var depth = 0
    private let bytes: UnsafeBufferPointer<UInt8>
    private let name: String
    private let base: Int

    /// A parser at the start of `bytes`, which must outlive it. Errors begin with `name` and count offsets from `base`.
    package init(_ bytes: UnsafeRawBufferPointer, name: String, base: Int = 0) {
      self.bytes = bytes.assumingMemoryBound(to: UInt8.self)
      self.name = name
      self.base = base
    }

    /// Reads one value of any kind.
    package mutating func value() throws(SDError) -> JSON {
      skipSpace()
      switch current {
      case UInt8(ascii: "{"):
        var members = Object()
        try object { parser, key throws(SDError) in
          guard members[key] == nil else { throw parser.duplicate(key) }
          members[key] = try parser.value()
        }
        return .object(members)
      case UInt8(ascii: "["):
        var elements: [JSON] = []
        try array { parser throws(SDError) in elements.append(try parser.value()) }
        return .array(elements)
      case UInt8(ascii: "\""): return .string(try string())
      case UInt8(ascii: "-"), .some(UInt8(ascii: "0")...UInt8(ascii: "9")): return .number(try number())
      case UInt8(ascii: "t"): return try word("true", .bool(true))
      case UInt8(ascii: "f"): return try word("false", .bool(false))
      case UInt8(ascii: "n"): return try word("null", .null)
      default: throw unexpected("a value")
      }
    }

    /// Reads an object: `member` is called behind each name and must read its value. It sees equal names twice.
    package mutating func object(
      _ member: (inout Parser, String) throws(SDError) -> Void
    ) throws(SDError) {
      try sequence(from: "{", to: "}") { parser throws(SDError) in
        parser.skipSpace()
        let start = parser.position
        let key = try parser.string()
        try parser.expect(":")
        parser.keyPosition = start
        try member(&parser, key)
      }
    }

    /// Reads an array: `element` is called at each element and must read it.
    package mutating func array(_ element: (inout Parser) throws(SDError) -> Void) throws(SDError) {
      try sequence(from: "[", to: "]", element)
    }

    /// Reads an array of at most `limit` integers from 0 up; throws `excess` where there are more.
    package mutating func naturals(
      limit: Int, excess: @autoclosure () -> SDError
    ) throws(SDError) -> [Int] {
      var values: [Int] = []
      try array { parser throws(SDError) in
        guard values.count < limit else { throw excess() }
        values.append(try parser.natural())
      }
      return values
    }

    /// Reads an integer from 0 up.
    package mutating func natural() throws(SDError) -> Int {
      skipSpace()
      let start = position
      let text = try number()
      guard let value = Int(text), !text.hasPrefix("-") else {
        throw error("expected an integer from 0 to \(Int.max), found \(text.prefix(40))", at: start)
      }
      return value
    }

    /// Reads a number and returns its text.
    package mutating func number() throws(SDError) -> String {
      skipSpace()
      let start = position
      if current == UInt8(ascii: "-") { position += 1 }
      if current == UInt8(ascii: "0") { position += 1 } else { try digits() }
      if current == UInt8(ascii: ".") {
        position += 1
        try digits()
      }
      if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
        position += 1
        if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
        try digits()
      }
      return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    /// Reads a string.
    package mutating func string() throws(SDError) -> String {
      skipSpace()
      let start = position
      try expect("\"")
      var text: [UInt8] = []
      var run = position
      while let byte = current {
        switch byte {
        case UInt8(ascii: "\""):
          let rest = try utf8(run..<position)
          position += 1
          return text.isEmpty ? rest : String(decoding: text + rest.utf8, as: UTF8.self)
        case UInt8(ascii: "\\"):
          text += try utf8(run..<position).utf8
          text += UTF8.encode(try escape()) ?? .init()
          run = position
        case 0..<0x20: throw error("a control character in a string must be escaped")
        default: position += 1
        }
      }
      throw error("the string has no end", at: start)
    }

    /// Checks that nothing but white space is left.
    package mutating func end() throws(SDError) {
      skipSpace()
      if current != nil { throw unexpected("the end") }
    }

    /// The error for a name that came before, at the name that was read last.
    package func duplicate(_ key: String) -> SDError {
      error("the name \(JSON.quoted(key)) appears twice", at: keyPosition)
    }

    /// The error for a name that has no meaning here, at the name that was read last.
    package func unknown(_ key: String) -> SDError {
      error("unknown name \(JSON.quoted(key))", at: keyPosition)
    }

    /// An error at an offset, by default that of the next byte.
    package func error(_ what: String, at position: Int? = nil) -> SDError {
      SDError(.invalid, "\(name): byte offset \(base + (position ?? self.position)): \(what)")
    }
  }
}

extension JSON.Parser {
  // All bytes are read through `current` or from ranges that end at `position`.
  private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  private mutating func expect(_ character: Unicode.Scalar) throws(SDError) {
    skipSpace()
    guard current == UInt8(ascii: character) else { throw unexpected("'\(character)'") }
    position += 1
  }

  private mutating func sequence(
    from open: Unicode.Scalar, to close: Unicode.Scalar,
    _ element: (inout Self) throws(SDError) -> Void
  ) throws(SDError) {
    try expect(open)
    guard depth < Self.nestingLimit else {
      throw error("more than \(Self.nestingLimit) nested arrays and objects", at: position - 1)
    }
    depth += 1
    defer { depth -= 1 }
    skipSpace()
    if current == UInt8(ascii: close) {
      position += 1
      return
    }
    while true {
      try element(&self)
      skipSpace()
      switch current {
      case UInt8(ascii: ","): position += 1
      case UInt8(ascii: close):
        position += 1
        return
      default: throw unexpected("',' or '\(close)'")
      }
    }
  }

  private mutating func word(_ word: StaticString, _ value: JSON) throws(SDError) -> JSON {
    for byte in UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount) {
      guard current == byte else { throw unexpected("'\(word)'") }
      position += 1
    }
    return value
  }

  private mutating func digits() throws(SDError) {
    let start = position
    while let byte = current, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { position += 1 }
    if position == start { throw unexpected("a digit") }
  }

  private func utf8(_ range: Range<Int>) throws(SDError) -> String {
    do {
      return String(copying: try UTF8Span(validating: UnsafeBufferPointer(rebasing: bytes[range]).span))
    } catch {
      throw self.error("not UTF-8", at: range.lowerBound + error.byteOffsets.lowerBound)
    }
  }

  /// Reads the escape sequence that begins here.
  private mutating func escape() throws(SDError) -> Unicode.Scalar {
    let start = position
    position += 1
    let letter = current
    if letter != nil { position += 1 }
    switch letter {
    case UInt8(ascii: "\""): return "\""
    case UInt8(ascii: "\\"): return "\\"
    case UInt8(ascii: "/"): return "/"
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"): break
    default: throw error("unknown escape sequence", at: start)
    }
    let unit = try hex4()
    if let scalar = Unicode.Scalar(unit) { return scalar }
    if unit < 0xDC00, current == UInt8(ascii: "\\") {
      position += 1
      if current == UInt8(ascii: "u") {
        position += 1
        let low = try hex4()
        if 0xDC00..<0xE000 ~= low, let pair = Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00)) {
          return pair
        }
      }
    }
    throw error("half of a surrogate pair", at: start)
  }

  private mutating func hex4() throws(SDError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = current.flatMap({ Character(Unicode.Scalar($0)).hexDigitValue }) else {
        throw unexpected("a hexadecimal digit")
      }
      value = value << 4 | UInt32(digit)
      position += 1
    }
    return value
  }

  private func unexpected(_ wanted: String) -> SDError {
    let found =
      switch current {
      case nil: "the end"
      case .some(let byte) where 0x20..<0x7F ~= byte: "'\(Unicode.Scalar(byte))'"
      case .some(let byte): "byte \(byte)"
      }
    return error("expected \(wanted), found \(found)")
  }
}
