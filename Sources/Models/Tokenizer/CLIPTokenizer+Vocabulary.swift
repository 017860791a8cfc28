public import GraphIR

extension CLIPTokenizer {
  /// Reads `merges.txt`: a version line, then one merge rule a line, two tokens separated by a space.
  ///
  /// - Parameters:
  ///   - text: the file's content.
  ///   - file: its name, for errors.
  /// - Throws: `.invalid` with the number of a line that is no rule.
  public static func parseMerges(
    _ text: String, file: String = "merges.txt"
  ) throws(SDError) -> [(left: String, right: String)] {
    var merges: [(left: String, right: String)] = []
    let bytes = text.utf8
    var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    if lines.last?.isEmpty == true { lines.removeLast() }
    for (i, line) in lines.enumerated() {
      let rule = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
      if rule.starts(with: "#version".utf8) { continue }
      let tokens = rule.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
      guard tokens.count == 2, !tokens.contains(where: \.isEmpty) else {
        throw SDError(
          .invalid,
          "\(file): line \(i + 1) is \(quoted(Substring(rule))), a merge rule is two tokens separated by a space"
        )
      }
      merges.append((String(Substring(tokens[0])), String(Substring(tokens[1]))))
    }
    return merges
  }

  /// Checks that the text encoder has a row for every id.
  ///
  /// - Parameter embeddingRows: rows of the token embedding.
  /// - Throws: `.invalid` with the token of the greatest id.
  public func validate(embeddingRows: Int) throws(SDError) {
    guard let (token, id) = vocabulary.max(by: { $0.value < $1.value }), id >= embeddingRows else { return }
    throw SDError(
      .invalid,
      "the tokenizer gives \(Self.quoted(token)) the id \(id), the text encoder's embedding has "
        + "\(embeddingRows) rows",
      hint: "the tokenizer and the text encoder belong to different models")
  }

  /// A tokenizer without merges, for models that have no vocabulary: every byte is a token.
  ///
  /// The ids of bytes are CLIP's (0–511) and bos and eos the last two, with unused tokens between.
  ///
  /// - Parameters:
  ///   - size: tokens in all, 514 or more; CLIP's 49,408 by default.
  ///   - pad: the padding token.
  /// - Throws: `.usage` if `size` is too small.
  public static func byteLevel(
    size: Int = 49_408, pad: AddedToken = "<|endoftext|>"
  ) throws(SDError) -> CLIPTokenizer {
    let bytes = ByteAlphabet.tokens
    guard size >= bytes.count + 2 else {
      throw SDError(.usage, "a byte-level vocabulary of \(size) tokens is too small, it has at least 514")
    }
    var vocabulary: [String: Int] = [:]
    for (id, token) in bytes.enumerated() { vocabulary[token] = id }
    for id in bytes.count..<size - 2 { vocabulary["<|unused\(id)|>"] = id }
    vocabulary["<|startoftext|>"] = size - 2
    vocabulary["<|endoftext|>"] = size - 1
    return try CLIPTokenizer(
      vocabulary: vocabulary, merges: [], specialTokens: SpecialTokens(pad: pad))
  }

  /// Throws `.invalid` unless the ids are unique and fit the text encoder's integers.
  static func checkIDs(_ vocabulary: [String: Int]) throws(SDError) {
    let byID = vocabulary.sorted { ($0.value, $0.key) < ($1.value, $1.key) }
    for (token, id) in [byID.first, byID.last].compactMap(\.self) where Int32(exactly: id) == nil || id < 0 {
      throw SDError(
        .invalid, "the tokenizer's vocabulary gives \(quoted(token)) the id \(id), ids are 0 to \(Int32.max)")
    }
    for (a, b) in zip(byID, byID.dropFirst()) where a.value == b.value {
      throw SDError(
        .invalid,
        "the tokenizer's vocabulary gives \(quoted(a.key)) and \(quoted(b.key)) the same id, \(a.value)")
    }
  }

  /// The merge rules by ids. Throws `.invalid` if a rule reads or makes a token that the vocabulary lacks.
  static func merger(
    _ vocabulary: [String: Int], _ merges: [(left: String, right: String)]
  ) throws(SDError) -> BytePairMerger {
    var merger = BytePairMerger()
    for (rank, merge) in merges.enumerated() {
      func id(_ token: String) throws(SDError) -> Int32 {
        guard let id = vocabulary[token] else {
          throw SDError(
            .invalid,
            "merge rule \(rank + 1), \(quoted("\(merge.left) \(merge.right)")), needs the token "
              + "\(quoted(token)), which is not in the tokenizer's vocabulary",
            hint: "vocab.json and merges.txt belong to different tokenizers")
        }
        return Int32(id)
      }
      try merger.add(
        id(merge.left), id(merge.right),
        BytePairMerger.Rule(rank: Int32(rank), product: id(merge.left + merge.right)))
    }
    return merger
  }

  /// A text from a file as errors show it: in quotes, its beginning only.
  static func quoted(_ text: some StringProtocol) -> String {
    "\"\(text.prefix(80))\(text.dropFirst(80).isEmpty ? "" : "…")\""
  }
}
