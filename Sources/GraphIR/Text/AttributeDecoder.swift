/// Turns an `Attribute` back into the value it was made of.
package struct AttributeDecoder {
  /// The value of an attribute tree.
  ///
  /// - Throws: `SDError` `.invalid` for a missing attribute, one of another kind or out of range, and (V3) for one
  ///   that the value does not have.
  package static func decode<T: Codable>(_ type: T.Type, from attribute: Attribute) throws(SDError) -> T {
    let value: T
    do {
      value = try Node(attribute: attribute, codingPath: []).value(type)
    } catch let error as SDError {
      throw error
    } catch let error as DecodingError {
      throw SDError(.invalid, error.sentence.printable)
    } catch {
      throw SDError(.invalid, "the attributes of \(type) cannot be read: \("\(error)".printable)")
    }
    // What the value does not write is nothing it has read.
    if let unknown = attribute.firstMember(missingFrom: try AttributeEncoder.encode(value)) {
      throw SDError(.invalid, "V3: unknown attribute '\(unknown.dotted.printable)'")
    }
    return value
  }
}

extension Attribute {
  /// The path of the first member or element, in the order of the text, that the other tree does not have at that place.
  fileprivate func firstMember(
    missingFrom other: Attribute, at path: [any CodingKey] = []
  ) -> [any CodingKey]? {
    var members: [(key: AttributeKey, value: Attribute)] = []
    var known: [String: Attribute] = [:]
    switch self {
    case .record(let own):
      members = own.sorted { $0.key < $1.key }.map { (AttributeKey(stringValue: $0.key), $0.value) }
      if case .record(let others) = other { known = others }
    case .list(let own):
      members = own.enumerated().map { (AttributeKey(intValue: $0.offset), $0.element) }
      if case .list(let others) = other {
        for (index, element) in others.enumerated() { known["\(index)"] = element }
      }
    default: return nil
    }
    for (key, value) in members {
      guard let counterpart = known[key.stringValue] else { return path + [key] }
      if let missing = value.firstMember(missingFrom: counterpart, at: path + [key]) { return missing }
    }
    return nil
  }

  /// What it is, for messages: short literals as they are, the others by kind.
  fileprivate var summary: String {
    switch self {
    case .list(let elements): "a list of \(elements.count)"
    case .record: "a record"
    case .string(let value) where value.utf8.count > 64: "a text of \(value.utf8.count) bytes"
    default: description
    }
  }
}

extension DecodingError {
  /// One sentence with the path of the attribute.
  fileprivate var sentence: String {
    switch self {
    case .keyNotFound(let key, let context):
      "attribute '\((context.codingPath + [key]).dotted)' is missing"
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
      context.codingPath.isEmpty
        ? "the attributes are wrong: \(context.debugDescription)"
        : "attribute '\(context.codingPath.dotted)' is wrong: \(context.debugDescription)"
    @unknown default: "the attributes are wrong"
    }
  }
}

/// A place in the tree that is read.
private struct Node: Decoder {
  let attribute: Attribute
  let codingPath: [any CodingKey]
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func value<T: Decodable>(_ type: T.Type) throws -> T {
    guard let scalar = type as? any AttributeScalar.Type else { return try type.init(from: self) }
    guard let value = scalar.init(attribute: attribute) as? T else { throw mismatch(type, "\(type)") }
    return value
  }

  func mismatch(_ type: any Any.Type, _ wanted: String) -> DecodingError {
    .typeMismatch(
      type,
      .init(codingPath: codingPath, debugDescription: "it must be \(wanted), it is \(attribute.summary)"))
  }

  func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
    guard case .record(let members) = attribute else { throw mismatch([String: Attribute].self, "a record") }
    return KeyedDecodingContainer(Keyed<Key>(members: members, codingPath: codingPath))
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
    guard case .list(let elements) = attribute else { throw mismatch([Attribute].self, "a list") }
    return Unkeyed(elements: elements, codingPath: codingPath)
  }

  func singleValueContainer() -> any SingleValueDecodingContainer { Single(node: self) }
}

private struct Keyed<Key: CodingKey>: KeyedDecodingContainerProtocol {
  let members: [String: Attribute]
  let codingPath: [any CodingKey]

  var allKeys: [Key] { members.keys.sorted().compactMap { Key(stringValue: $0) } }
  func contains(_ key: Key) -> Bool { members[key.stringValue] != nil }

  private func node(_ key: some CodingKey) throws -> Node {
    guard let attribute = members[key.stringValue] else {
      throw DecodingError.keyNotFound(key, .init(codingPath: codingPath, debugDescription: ""))
    }
    return Node(attribute: attribute, codingPath: codingPath + [key])
  }

  func decodeNil(forKey key: Key) throws -> Bool { try node(key).attribute == .null }
  func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T { try node(key).value(type) }

  func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type, forKey key: Key
  ) throws -> KeyedDecodingContainer<Nested> {
    try node(key).container(keyedBy: type)
  }

  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
    try node(key).unkeyedContainer()
  }

  func superDecoder() throws -> any Decoder { try node(AttributeKey.super) }
  func superDecoder(forKey key: Key) throws -> any Decoder { try node(key) }
}

private struct Unkeyed: UnkeyedDecodingContainer {
  let elements: [Attribute]
  let codingPath: [any CodingKey]
  var currentIndex = 0

  var count: Int? { elements.count }
  var isAtEnd: Bool { currentIndex == elements.count }

  /// The next element; it counts as read when `body` returns.
  private mutating func next<Result>(_ body: (Node) throws -> Result) throws -> Result {
    let path = codingPath + [AttributeKey(intValue: currentIndex)]
    guard !isAtEnd else {
      throw DecodingError.valueNotFound(
        Any.self, .init(codingPath: path, debugDescription: "the list ends before it"))
    }
    let result = try body(Node(attribute: elements[currentIndex], codingPath: path))
    currentIndex += 1
    return result
  }

  mutating func decodeNil() throws -> Bool {
    guard !isAtEnd, elements[currentIndex] == .null else { return false }
    currentIndex += 1
    return true
  }

  mutating func decode<T: Decodable>(_ type: T.Type) throws -> T { try next { try $0.value(type) } }

  mutating func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type
  ) throws -> KeyedDecodingContainer<Nested> {
    try next { try $0.container(keyedBy: type) }
  }

  mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
    try next { try $0.unkeyedContainer() }
  }

  mutating func superDecoder() throws -> any Decoder { try next { $0 } }
}

private struct Single: SingleValueDecodingContainer {
  let node: Node
  var codingPath: [any CodingKey] { node.codingPath }

  func decodeNil() -> Bool { node.attribute == .null }
  func decode<T: Decodable>(_ type: T.Type) throws -> T { try node.value(type) }
}
