import GraphIR
import GraphRuntime

extension JSON.Config {
  /// An integer of a range; sizes of models lie in 1 … 65,536, so that products of a few of them never overflow.
  ///
  /// - Throws: `.invalid` when it is missing without a default, of another kind or outside the range.
  func size(
    _ key: String, default value: Int? = nil, in range: ClosedRange<Int> = 1...65_536
  ) throws(SDError) -> Int {
    let size = try int(key, default: value)
    try check(size, of: key, in: range)
    return size
  }

  /// `count` integers of a range: an array of them, or one that holds for all.
  ///
  /// - Throws: as `size`.
  func sizes(
    _ key: String, count: Int, default value: Int? = nil, in range: ClosedRange<Int> = 1...65_536
  ) throws(SDError) -> [Int] {
    let sizes = try ints(key, count: count, default: value)
    for size in sizes { try check(size, of: key, in: range) }
    return sizes
  }

  /// A positive number.
  ///
  /// - Throws: `.invalid` when it is of another kind, zero or negative.
  func positive(_ key: String, default value: Double) throws(SDError) -> Double {
    let number = try double(key, default: value)
    guard number > 0 else { throw invalid(key, "must be positive, it is \(number)") }
    return number
  }

  /// Channels of the levels of a model: one or more sizes that `groups` divides.
  ///
  /// - Throws: `.invalid` when there are none, or with the first that cannot be split into groups.
  func channels(_ key: String, default value: [Int], groups: Int) throws(SDError) -> [Int] {
    let channels = try ints(key, default: value)
    guard (1...16).contains(channels.count) else {
      throw invalid(key, "must have 1 to 16 levels, it has \(channels.count)")
    }
    for count in channels {
      try check(count, of: key, in: 1...65_536)
      guard count % groups == 0 else {
        throw invalid(key, "has \(count), which \"norm_num_groups\" (\(groups)) does not divide")
      }
    }
    return channels
  }

  /// The meaning of a name.
  ///
  /// - Throws: `.incompatible` with the known names when it is none of them.
  func choice<T>(
    _ key: String, default name: String? = nil, _ known: KeyValuePairs<String, T>
  ) throws(SDError) -> T {
    try meaning(of: string(key, default: name), key, known)
  }

  /// The meanings of the names of an array that has `count` of them.
  ///
  /// - Throws: `.invalid` for another number of names, and as `choice`.
  func choices<T>(
    _ key: String, count: Int, default names: [String], _ known: KeyValuePairs<String, T>
  ) throws(SDError) -> [T] {
    let names = try strings(key, default: names)
    guard names.count == count else {
      throw invalid(key, "has \(names.count) entries, \"block_out_channels\" has \(count)")
    }
    return try names.map { (name: String) throws(SDError) in try meaning(of: name, key, known) }
  }

  /// Refuses every value of a key but the ones that are implemented; absent and `null` are the class default.
  ///
  /// - Throws: `.incompatible` with the key, its value and what is supported.
  func require(_ key: String, isOneOf supported: JSON...) throws(SDError) {
    guard let value = members[key], value != .null, !supported.contains(value) else { return }
    let list = supported.map(excerpt).joined(separator: " or ")
    throw SDError(
      .incompatible, "\(file): \"\(key)\" is \(excerpt(value)), supported is \(list)")
  }

  /// The error for a value that no valid configuration has.
  func invalid(_ key: String, _ fault: String) -> SDError {
    SDError(.invalid, "\(file): \"\(key)\" \(fault)")
  }

  private func check(_ size: Int, of key: String, in range: ClosedRange<Int>) throws(SDError) {
    guard range.contains(size) else {
      throw invalid(key, "must be in \(range.lowerBound) ... \(range.upperBound), it is \(size)")
    }
  }

  private func meaning<T>(
    of name: String, _ key: String, _ known: KeyValuePairs<String, T>
  ) throws(SDError) -> T {
    if let value = known.first(where: { $0.key == name })?.value { return value }
    let names = known.map { "\"\($0.key)\"" }.joined(separator: ", ")
    throw SDError(
      .incompatible, "\(file): \"\(key)\" names \(JSON.quoted(name)), supported are \(names)")
  }

  private func excerpt(_ value: JSON) -> String {
    let text = value.canonical
    return text.count <= 60 ? text : text.prefix(59) + "…"
  }
}
