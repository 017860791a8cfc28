package import GraphIR

/// A JSON value (RFC 8259) as the file has it: a number keeps its text, an object the order of its members.
package enum JSON: Sendable, Equatable {
  /// `null`
  case null
  /// `true` or `false`
  case bool(Bool)
  /// A number as written; `int` and `double` give its value.
  case number(String)
  /// Unicode text.
  case string(String)
  /// Values in order.
  case array([JSON])
  /// Members with distinct names.
  case object(Object)

  /// The largest file read as one value: configurations and vocabularies are far smaller.
  package static let fileLimit = 64 << 20

  /// Reads a whole file as one value. Throws `.invalid` with the byte offset of the first fault.
  package init(file path: String) throws(SDError) {
    let file = try MappedFile(path)
    defer { extendLifetime(file) }
    guard file.bytes.count <= Self.fileLimit else {
      throw SDError(.invalid, "\(path): \(file.bytes.count) bytes of JSON, the limit is \(Self.fileLimit)")
    }
    try self.init(parsing: file.bytes, name: path)
  }

  /// Reads text that holds one value and nothing else but white space; errors begin with `name`.
  package init(parsing bytes: UnsafeRawBufferPointer, name: String) throws(SDError) {
    var parser = Parser(bytes, name: name)
    self = try parser.value()
    try parser.end()
  }

  /// Reads text that holds one value and nothing else but white space; errors begin with `name`.
  package init(parsing bytes: [UInt8], name: String) throws(SDError) {
    self = try bytes.span.bytes.withUnsafeBytes { bytes throws(SDError) in
      try JSON(parsing: bytes, name: name)
    }
  }

  /// An integer.
  package init(_ value: Int) { self = .number(String(value)) }

  /// A number in the fewest digits that read back as the same value; NaN and infinity have no form and give
  /// `null`.
  package init(_ value: Double) { self = value.isFinite ? .number(value.description) : .null }

  /// The value of a boolean.
  package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }

  /// The value of a number that is written as an integer and fits.
  package var int: Int? { if case .number(let text) = self { Int(text) } else { nil } }

  /// The value of a number, nearest first; nil where it exceeds the range (`1e400`).
  package var double: Double? {
    guard case .number(let text) = self, let value = Double(text), value.isFinite else { return nil }
    return value
  }

  /// The value of a string.
  package var string: String? { if case .string(let value) = self { value } else { nil } }

  /// The elements of an array.
  package var array: [JSON]? { if case .array(let value) = self { value } else { nil } }

  /// The members of an object.
  package var object: Object? { if case .object(let value) = self { value } else { nil } }
}

extension JSON {
  /// The members of an object, in the order of the file, found by name in constant time.
  package struct Object: Sendable, Equatable {
    /// Names and values in order.
    package private(set) var members: [(key: String, value: JSON)] = []
    private var positions: [String: Int] = [:]

    /// An object without members.
    package init() {}

    /// The value of a name. Setting replaces the value in place or appends a member; nil removes it.
    package subscript(key: String) -> JSON? {
      get { positions[key].map { members[$0].value } }
      set {
        switch (positions[key], newValue) {
        case (let position?, let value?):
          members[position].value = value
        case (nil, let value?):
          positions[key] = members.count
          members.append((key, value))
        case (let position?, nil):
          members.remove(at: position)
          positions = [:]
          for (position, member) in members.enumerated() { positions[member.key] = position }
        case (nil, nil): break
        }
      }
    }

    /// Whether both hold the same members, in any order.
    package static func == (a: Self, b: Self) -> Bool {
      a.members.count == b.members.count && a.members.allSatisfy { b[$0.key] == $0.value }
    }
  }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  /// A string.
  package init(stringLiteral value: String) { self = .string(value) }
  /// An integer.
  package init(integerLiteral value: Int) { self.init(value) }
  /// `true` or `false`.
  package init(booleanLiteral value: Bool) { self = .bool(value) }
  /// An array.
  package init(arrayLiteral elements: JSON...) { self = .array(elements) }
  /// An object; of equal names the last counts.
  package init(dictionaryLiteral elements: (String, JSON)...) {
    var object = Object()
    for (key, value) in elements { object[key] = value }
    self = .object(object)
  }
}
