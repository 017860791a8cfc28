package import GraphIR

extension JSON {
  /// A configuration: an object of a file, whose members are read by name and kind.
  ///
  /// `null` counts as absent. A member of another kind, and one that is absent and has no default, throws
  /// `.invalid`: `unet/config.json: "layers_per_block" must be an integer, it is "two"`.
  package struct Config: Sendable {
    /// The file as the errors call it.
    package let file: String
    /// The members.
    package let members: Object

    /// The object that is the whole of a file.
    package init(file path: String) throws(SDError) {
      try self.init(JSON(file: path), file: path)
    }

    /// The object that was read from `file`.
    package init(_ value: JSON, file: String) throws(SDError) {
      guard let members = value.object else {
        throw SDError(.invalid, "\(file): must be an object, it is \(value.excerpt)")
      }
      self.file = file
      self.members = members
    }

    /// Whether the member is present and not `null`.
    package func has(_ key: String) -> Bool { members[key].map { $0 != .null } ?? false }

    /// An integer.
    package func int(_ key: String, default value: Int? = nil) throws(SDError) -> Int {
      try member(key, "an integer", value, \.int)
    }

    /// A number.
    package func double(_ key: String, default value: Double? = nil) throws(SDError) -> Double {
      try member(key, "a number", value, \.double)
    }

    /// `true` or `false`.
    package func bool(_ key: String, default value: Bool? = nil) throws(SDError) -> Bool {
      try member(key, "true or false", value, \.bool)
    }

    /// A string.
    package func string(_ key: String, default value: String? = nil) throws(SDError) -> String {
      try member(key, "a string", value, \.string)
    }

    /// An array of integers.
    package func ints(_ key: String, default value: [Int]? = nil) throws(SDError) -> [Int] {
      try member(key, "an array of integers", value) { $0.elements(\.int) }
    }

    /// An array of numbers.
    package func doubles(_ key: String, default value: [Double]? = nil) throws(SDError) -> [Double] {
      try member(key, "an array of numbers", value) { $0.elements(\.double) }
    }

    /// An array of strings.
    package func strings(_ key: String, default value: [String]? = nil) throws(SDError) -> [String] {
      try member(key, "an array of strings", value) { $0.elements(\.string) }
    }

    /// `count` integers: an array of them, or one that holds for all.
    package func ints(_ key: String, count: Int, default value: Int? = nil) throws(SDError) -> [Int] {
      let absent = value.map { Array(repeating: $0, count: count) }
      return try member(key, "an integer or an array of \(count) integers", absent) {
        if let one = $0.int { return Array(repeating: one, count: count) }
        return $0.elements(\.int).flatMap { $0.count == count ? $0 : nil }
      }
    }

    private func member<T>(
      _ key: String, _ kind: String, _ absent: T?, _ convert: (JSON) -> T?
    ) throws(SDError) -> T {
      guard let value = members[key], value != .null else {
        if let absent { return absent }
        throw SDError(.invalid, "\(file): \(JSON.quoted(key)) is missing, it must be \(kind)")
      }
      guard let result = convert(value) else {
        throw SDError(.invalid, "\(file): \(JSON.quoted(key)) must be \(kind), it is \(value.excerpt)")
      }
      return result
    }
  }

  /// All elements of an array converted, nil where one cannot be.
  private func elements<T>(_ convert: (JSON) -> T?) -> [T]? {
    guard let array else { return nil }
    let result = array.compactMap(convert)
    return result.count == array.count ? result : nil
  }

  /// The value as a message shows it.
  private var excerpt: String {
    let text = canonical
    return text.count <= 60 ? text : text.prefix(59) + "…"
  }
}
