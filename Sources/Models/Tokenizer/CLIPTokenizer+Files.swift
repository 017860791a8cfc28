package import GraphIR
package import GraphRuntime

extension CLIPTokenizer {
  /// Reads `vocab.json`, `merges.txt` and, where they are there, `special_tokens_map.json` and `tokenizer_config.json`.
  ///
  /// - Throws: `SDError` (invalid) for a missing or damaged file, and as `init(vocabulary:…)`.
  package init(folder: String) throws(SDError) {
    let vocabulary = try JSON(file: "\(folder)/vocab.json")
    let merges = try MappedFile("\(folder)/merges.txt")
    defer { extendLifetime(merges) }
    guard let text = String(validating: merges.bytes, as: UTF8.self) else {
      throw SDError(.invalid, "\(folder)/merges.txt: not valid UTF-8")
    }
    var special = SpecialTokens()
    var maxLength = 77
    for file in ["\(folder)/tokenizer_config.json", "\(folder)/special_tokens_map.json"] where FileStatus.exists(file) {
      let config = try JSON.Config(file: file)
      try special.update(from: config)
      if config.has("model_max_length") { maxLength = try config.int("model_max_length") }
    }
    try self.init(
      vocabulary: CLIPTokenizer.vocabulary(vocabulary, file: "\(folder)/vocab.json"),
      merges: CLIPTokenizer.parseMerges(text, file: "\(folder)/merges.txt"), specialTokens: special,
      maxLength: maxLength)
  }

  /// As it is stored in a plan.
  package var json: JSON {
    var vocabulary = JSON.Object()
    for (token, id) in self.vocabulary.sorted(by: { $0.value < $1.value }) { vocabulary[token] = JSON(id) }
    let tokens: [(String, AddedToken)] = [
      ("bos_token", specialTokens.bos), ("eos_token", specialTokens.eos), ("unk_token", specialTokens.unk),
      ("pad_token", specialTokens.pad),
    ]
    var special = JSON.Object()
    for (role, token) in tokens {
      special[role] = ["content": .string(token.content), "normalized": .bool(token.isNormalized)]
    }
    return [
      "vocab": .object(vocabulary), "merges": .array(merges.map { .string("\($0.left) \($0.right)") }),
      "special": .object(special), "model_max_length": JSON(maxLength),
    ]
  }

  /// Reads what `json` stored.
  ///
  /// - Throws: `SDError` (invalid) as `init(folder:)`.
  package init(_ json: JSON, file: String) throws(SDError) {
    let config = try JSON.Config(json, file: file)
    var special = SpecialTokens()
    try special.update(from: JSON.Config(config.members["special"] ?? .null, file: file))
    try self.init(
      vocabulary: CLIPTokenizer.vocabulary(config.members["vocab"] ?? .null, file: file),
      merges: CLIPTokenizer.parseMerges(config.strings("merges").joined(separator: "\n"), file: file),
      specialTokens: special, maxLength: config.int("model_max_length"))
  }

  private static func vocabulary(_ json: JSON, file: String) throws(SDError) -> [String: Int] {
    guard let members = json.object else { throw SDError(.invalid, "\(file): the vocabulary must be an object") }
    var vocabulary: [String: Int] = [:]
    for (token, value) in members.members {
      guard let id = value.int else {
        throw SDError(.invalid, "\(file): the id of token \(JSON.quoted(token)) must be an integer")
      }
      vocabulary[token] = id
    }
    return vocabulary
  }
}

extension CLIPTokenizer.SpecialTokens {
  /// Takes over the roles that a file names, as text or as an object with `content`.
  fileprivate mutating func update(from config: JSON.Config) throws(SDError) {
    for (role, path) in [
      ("bos_token", \Self.bos), ("eos_token", \Self.eos), ("unk_token", \Self.unk), ("pad_token", \Self.pad),
    ] as [(String, WritableKeyPath<Self, CLIPTokenizer.AddedToken>)] where config.has(role) {
      if let object = config.members[role]?.object, let content = object["content"]?.string {
        self[keyPath: path] = CLIPTokenizer.AddedToken(content, isNormalized: object["normalized"]?.bool ?? false)
      } else {
        self[keyPath: path] = CLIPTokenizer.AddedToken(try config.string(role))
      }
    }
  }
}
