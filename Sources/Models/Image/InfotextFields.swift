/// The last line of an A1111 infotext: `Key: value, Key: "a value with, or : or a line break"`.
struct InfotextFields {
  private var values: [String: String] = [:]

  /// The value of a field, without its quotes.
  subscript(key: String) -> String? { values[key] }

  /// Reads a line; what is no field is skipped.
  init(_ line: String) {
    var rest = line[...]
    while let colon = rest.firstIndex(of: ":") {
      let key = rest[..<colon].trimmed
      rest = rest[colon...].dropFirst().drop(while: \.isWhitespace)
      if rest.first == "\"", let (text, end) = Self.unquote(rest) {
        values[key] = text
        rest = rest[end...]
      } else {
        values[key] = rest.prefix { $0 != "," }.trimmed
      }
      rest = rest.drop { $0 != "," }.dropFirst()
    }
  }

  /// `text` as a value: a JSON string if it holds a comma, a colon, a quote or a line break.
  static func quoted(_ text: String) -> String {
    guard text.contains(where: { ",:\"\\".contains($0) || $0.isNewline }) else { return text }
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\\(scalar)"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  /// The string that starts with a quote, and the index behind its closing quote.
  private static func unquote(_ text: Substring) -> (String, Substring.Index)? {
    var result = ""
    var isEscaped = false
    for index in text.indices.dropFirst() {
      switch (isEscaped, text[index]) {
      case (false, "\\"): isEscaped = true
      case (false, "\""): return (result, text.index(after: index))
      case (true, "n"): (result, isEscaped) = (result + "\n", false)
      case (true, "r"): (result, isEscaped) = (result + "\r", false)
      case (_, let character):
        result.append(character)
        isEscaped = false
      }
    }
    return nil
  }
}

extension StringProtocol {
  /// Without white space at both ends.
  var trimmed: String {
    let tail = drop(while: \.isWhitespace)
    let end = tail.lastIndex { !$0.isWhitespace }.map { tail.index(after: $0) } ?? tail.startIndex
    return String(tail[..<end])
  }
}
