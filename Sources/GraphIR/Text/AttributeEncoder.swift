/// Turns any `Encodable` value into an `Attribute`.
package struct AttributeEncoder {
  /// The attribute tree of a value.
  ///
  /// - Throws: what the value's `encode(to:)` throws, or `.invalid` when it asks for two kinds of container
  ///   at one place or nests deeper than `Attribute.maximumDepth`.
  package static func encode(_ value: some Encodable) throws(SDError) -> Attribute {
    let slot = Slot(path: [])
    do {
      try slot.store(value)
      return try slot.attribute()
    } catch let error as SDError {
      throw error
    } catch let EncodingError.invalidValue(_, context) {
      throw SDError(
        .invalid, "attribute '\(context.codingPath.dotted)' cannot be stored: \(context.debugDescription)")
    } catch {
      throw SDError(.invalid, "the attributes of \(type(of: value)) cannot be stored: \(error)")
    }
  }
}

/// A place in the tree under construction; containers fill it in.
private final class Slot: Encoder {
  enum Content {
    case empty
    case scalar(Attribute)
    case list([Slot])
    case record([String: Slot])
    /// Containers of two kinds were asked for.
    case conflict
  }

  let codingPath: [any CodingKey]
  let userInfo: [CodingUserInfoKey: Any] = [:]
  var content = Content.empty

  init(path: [any CodingKey]) { codingPath = path }

  func store(_ value: some Encodable) throws {
    if let scalar = value as? any AttributeScalar {
      content = .scalar(scalar.attribute)
      return
    }
    guard codingPath.count <= Attribute.maximumDepth else { throw invalid("it nests too deep") }
    try value.encode(to: self)
  }

  func attribute() throws -> Attribute {
    switch content {
    case .empty: return .record([:])
    case .scalar(let attribute): return attribute
    case .list(let slots): return .list(try slots.map { try $0.attribute() })
    case .record(let slots): return .record(try slots.mapValues { try $0.attribute() })
    case .conflict: throw invalid("it asks for two kinds of container")
    }
  }

  private func invalid(_ reason: String) -> EncodingError {
    .invalidValue(self, .init(codingPath: codingPath, debugDescription: reason))
  }

  func append(_ key: any CodingKey) -> Slot {
    let slot = Slot(path: codingPath + [key])
    if case .list(var slots) = content {
      content = .empty  // so that `slots` is the only reference and grows in place
      slots.append(slot)
      content = .list(slots)
    }
    return slot
  }

  func insert(_ key: any CodingKey) -> Slot {
    let slot = Slot(path: codingPath + [key])
    if case .record(var slots) = content {
      content = .empty
      slots[key.stringValue] = slot
      content = .record(slots)
    }
    return slot
  }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    switch content {
    case .empty: content = .record([:])
    case .record: break
    default: content = .conflict
    }
    return KeyedEncodingContainer(Keyed<Key>(slot: self))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    switch content {
    case .empty: content = .list([])
    case .list: break
    default: content = .conflict
    }
    return Unkeyed(slot: self)
  }

  func singleValueContainer() -> any SingleValueEncodingContainer {
    switch content {
    case .empty: break
    default: content = .conflict
    }
    return Single(slot: self)
  }
}

private struct Keyed<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let slot: Slot
  var codingPath: [any CodingKey] { slot.codingPath }

  func encodeNil(forKey key: Key) { slot.insert(key).content = .scalar(.null) }
  func encode(_ value: some Encodable, forKey key: Key) throws { try slot.insert(key).store(value) }

  func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type, forKey key: Key
  ) -> KeyedEncodingContainer<Nested> {
    slot.insert(key).container(keyedBy: type)
  }

  func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
    slot.insert(key).unkeyedContainer()
  }

  func superEncoder() -> any Encoder { slot.insert(AttributeKey.super) }
  func superEncoder(forKey key: Key) -> any Encoder { slot.insert(key) }
}

private struct Unkeyed: UnkeyedEncodingContainer {
  let slot: Slot
  var codingPath: [any CodingKey] { slot.codingPath }
  var count: Int {
    if case .list(let slots) = slot.content { slots.count } else { 0 }
  }
  private func next() -> Slot { slot.append(AttributeKey(intValue: count)) }

  func encodeNil() { next().content = .scalar(.null) }
  func encode(_ value: some Encodable) throws { try next().store(value) }

  func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
    next().container(keyedBy: type)
  }

  func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { next().unkeyedContainer() }
  func superEncoder() -> any Encoder { next() }
}

private struct Single: SingleValueEncodingContainer {
  let slot: Slot
  var codingPath: [any CodingKey] { slot.codingPath }

  func encodeNil() { slot.content = .scalar(.null) }
  func encode(_ value: some Encodable) throws { try slot.store(value) }
}

/// A key by name or by position.
struct AttributeKey: CodingKey {
  let stringValue: String
  let intValue: Int?

  static let `super` = AttributeKey(stringValue: "super")

  init(stringValue: String) { (self.stringValue, intValue) = (stringValue, nil) }
  init(intValue: Int) { (stringValue, self.intValue) = ("\(intValue)", intValue) }
}

extension Sequence<any CodingKey> {
  /// `sources[0].stride`.
  var dotted: String {
    reduce("") { path, key in
      if let index = key.intValue { return "\(path)[\(index)]" }
      return path.isEmpty ? key.stringValue : "\(path).\(key.stringValue)"
    }
  }
}
