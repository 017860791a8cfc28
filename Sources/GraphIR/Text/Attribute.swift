/// The attributes of an op as the text form has them: what `Codable` makes of stored properties.
///
/// Printed as `{eps = 1e-05, name = "sample", padding = {bottom = 1, top = 1}, shape = [2, 3]}`, keys sorted.
package enum Attribute: Hashable, Sendable {
  /// An optional without a value, where it cannot be left out.
  case null
  /// `true` or `false`.
  case bool(Bool)
  /// A number by its shortest literal, so that every width stays exact: `3`, `1e-05`, `-inf`, `nan`.
  case number(String)
  /// A text.
  case string(String)
  /// Elements of an unkeyed container.
  case list([Attribute])
  /// Members of a keyed container.
  case record([String: Attribute])

  /// How deep lists and records may nest.
  package static let maximumDepth = 32
}

extension Attribute: CustomStringConvertible {
  /// The attribute in the text form.
  package var description: String {
    var text = ""
    append(to: &text)
    return text
  }

  /// Appends the text form.
  package func append(to text: inout String) {
    switch self {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .number(let literal): text += literal
    case .string(let value): text += value.quoted
    case .list(let elements):
      text += "["
      for (index, element) in elements.enumerated() {
        if index > 0 { text += ", " }
        element.append(to: &text)
      }
      text += "]"
    case .record(let members):
      text += "{"
      for (index, member) in members.sorted(by: { $0.key < $1.key }).enumerated() {
        if index > 0 { text += ", " }
        text += member.key.isWord ? member.key : member.key.quoted
        text += " = "
        member.value.append(to: &text)
      }
      text += "}"
    }
  }
}

extension String {
  /// The string in quotes, with `\"`, `\\`, `\n`, `\t` and `\u{7F}` for what cannot stand there.
  package var quoted: String {
    var text = "\""
    for scalar in unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\t": text += "\\t"
      case _ where scalar.isControl: text += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text + "\""
  }

  /// The string as messages may show it: its first 200 characters, control characters as `?`.
  package var printable: String {
    var text = String(String.UnicodeScalarView(unicodeScalars.prefix(200).map { $0.isControl ? "?" : $0 }))
    if unicodeScalars.count > 200 { text += "…" }
    return text
  }

  /// Whether it can stand in the text form without quotes: letters, digits, `_`, and inside also `.`, `-` and `@`.
  package var isWord: Bool {
    guard let first = utf8.first, first.startsWord else { return false }
    return utf8.allSatisfy(\.continuesWord)
  }
}

extension Unicode.Scalar {
  /// Whether it is one of C0, DEL or C1.
  package var isControl: Bool { value < 0x20 || (0x7F...0x9F).contains(value) }
}

extension UInt8 {
  /// A letter or `_`.
  package var startsWord: Bool {
    switch self {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): true
    default: false
    }
  }

  /// A decimal digit.
  package var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }

  /// A letter, a digit, `_`, `.`, `-` or `@`.
  package var continuesWord: Bool {
    startsWord || isDigit || [UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "@")].contains(self)
  }
}
