extension JSON {
  /// The one canonical text of the value: names sorted by their UTF-8 bytes, no white space, and no escapes but
  /// those that JSON demands. Equal values made of equal numbers print as equal bytes.
  package var canonical: String {
    var text = ""
    print(into: &text)
    return text
  }

  /// `text` as a JSON string for use in a message: quoted, one line, at most 120 characters of it.
  package static func quoted(_ text: String) -> String {
    let shown = text.unicodeScalars.prefix(121)
    guard shown.count > 120 else { return JSON.string(text).canonical }
    return JSON.string(String(String.UnicodeScalarView(shown.prefix(119))) + "…").canonical
  }

  private func print(into text: inout String) {
    switch self {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .number(let value): text += value
    case .string(let value): Self.print(value, into: &text)
    case .array(let elements):
      text += "["
      for (i, element) in elements.enumerated() {
        if i > 0 { text += "," }
        element.print(into: &text)
      }
      text += "]"
    case .object(let object):
      text += "{"
      let members = object.members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
      for (i, member) in members.enumerated() {
        if i > 0 { text += "," }
        Self.print(member.key, into: &text)
        text += ":"
        member.value.print(into: &text)
      }
      text += "}"
    }
  }

  private static func print(_ string: String, into text: inout String) {
    text += "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case "\u{8}": text += "\\b"
      case "\u{C}": text += "\\f"
      case "\0"..<" ":
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
