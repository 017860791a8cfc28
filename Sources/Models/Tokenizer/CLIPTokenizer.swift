public import GraphIR

/// CLIP's byte-pair tokenizer: a prompt becomes exactly `maxLength` token ids.
///
/// The ids equal those of `transformers`' `CLIPTokenizer` (5.x) with `padding="max_length"` and
/// `truncation=True`, for any text.
public struct CLIPTokenizer: Sendable {
  /// A prompt as the text encoder reads it.
  public struct Encoding: Hashable, Sendable {
    /// bos, at most `maxLength` - 2 tokens of the prompt, eos, padding: `maxLength` ids.
    public var ids: [Int]
    /// What did not fit, from the first word of which a token was cut; normalised, nil if all did fit.
    public var truncatedText: String?
  }

  /// The special tokens of a checkpoint (`special_tokens_map.json`).
  public struct SpecialTokens: Hashable, Sendable {
    /// Starts every sequence.
    public var bos: AddedToken
    /// Ends the prompt.
    public var eos: AddedToken
    /// Replaces a byte that the vocabulary lacks.
    public var unk: AddedToken
    /// Fills the sequence up; eos in SD 1.x, "!" (id 0) in SD 2.x.
    public var pad: AddedToken

    /// The tokens of the four roles; defaults are CLIP's.
    public init(
      bos: AddedToken = "<|startoftext|>", eos: AddedToken = "<|endoftext|>",
      unk: AddedToken = "<|endoftext|>", pad: AddedToken = "<|endoftext|>"
    ) {
      self.bos = bos
      self.eos = eos
      self.unk = unk
      self.pad = pad
    }
  }

  /// A token that is found by its text before words are cut: wherever a prompt contains the text, it is this
  /// token. So with "!" as padding every "!" of a prompt has the padding's id.
  public struct AddedToken: Hashable, Sendable, ExpressibleByStringLiteral {
    /// The text, which is also the vocabulary's key.
    public var content: String
    /// Whether the text is looked for after normalisation ("<|ENDOFTEXT|>" counts) or in the raw prompt. In
    /// the files: the member "normalized" of an object, false for a plain string.
    public var isNormalized: Bool

    /// A token from its text.
    public init(_ content: String, isNormalized: Bool = false) {
      self.content = content
      self.isNormalized = isNormalized
    }

    /// A token as files with plain strings mean it.
    public init(stringLiteral content: String) { self.init(content) }
  }

  /// Token ids by text, as read.
  package let vocabulary: [String: Int]
  /// The merge rules in order of rank, as read.
  package let merges: [(left: String, right: String)]
  /// The special tokens.
  public let specialTokens: SpecialTokens
  /// Number of ids of every encoding (`model_max_length`).
  public let maxLength: Int

  private let bosID: Int
  private let eosID: Int
  private let padID: Int
  private let merger: BytePairMerger
  /// Token of each byte inside a word, and at its end.
  private let byteIDs: [Int32]
  private let finalByteIDs: [Int32]
  private let rawMatcher: AddedTokenMatcher
  private let normalizedMatcher: AddedTokenMatcher

  /// Makes the tokenizer of a vocabulary.
  ///
  /// - Parameters:
  ///   - vocabulary: ids by token (`vocab.json`).
  ///   - merges: merge rules, the strongest first (`merges.txt`, see `parseMerges`).
  ///   - specialTokens: the tokens of the four roles; each must be in the vocabulary.
  ///   - maxLength: ids per encoding, 2 to 65,536.
  /// - Throws: `.invalid` if an id is negative, too large or not unique, a special token is missing, or a merge
  ///   rule reads or makes a token that the vocabulary lacks.
  public init(
    vocabulary: [String: Int], merges: [(left: String, right: String)],
    specialTokens: SpecialTokens = SpecialTokens(), maxLength: Int = 77
  ) throws(SDError) {
    guard (2...65_536).contains(maxLength) else {
      throw SDError(.invalid, "the tokenizer's model_max_length is \(maxLength), it must be 2 to 65536")
    }
    try Self.checkIDs(vocabulary)
    func id(_ role: String, _ token: AddedToken) throws(SDError) -> Int {
      guard !token.content.isEmpty, let id = vocabulary[token.content] else {
        throw SDError(
          .invalid, "the tokenizer's \(role) \(Self.quoted(token.content)) is not in its vocabulary")
      }
      return id
    }
    bosID = try id("bos_token", specialTokens.bos)
    eosID = try id("eos_token", specialTokens.eos)
    let unkID = try id("unk_token", specialTokens.unk)
    padID = try id("pad_token", specialTokens.pad)

    // One text can have several roles with different flags; the reference keeps the last of this order.
    var added: [String: (id: Int, isNormalized: Bool)] = [:]
    for (token, id) in [
      (specialTokens.bos, bosID), (specialTokens.eos, eosID), (specialTokens.unk, unkID),
      (specialTokens.pad, padID),
    ] { added[token.content] = (id, token.isNormalized) }
    rawMatcher = AddedTokenMatcher(
      added.filter { !$0.value.isNormalized }.map { (Array($0.key.unicodeScalars), $0.value.id) })
    normalizedMatcher = AddedTokenMatcher(
      added.filter(\.value.isNormalized).map {
        (TextNormalizer.normalize($0.key.unicodeScalars), $0.value.id)
      })

    byteIDs = ByteAlphabet.symbols.map { Int32(vocabulary[$0] ?? unkID) }
    finalByteIDs = ByteAlphabet.symbols.map { Int32(vocabulary[$0 + ByteAlphabet.wordEnd] ?? unkID) }
    merger = try Self.merger(vocabulary, merges)
    self.vocabulary = vocabulary
    self.merges = merges
    self.specialTokens = specialTokens
    self.maxLength = maxLength
  }

  /// The ids of a prompt, and what did not fit.
  ///
  /// Reading stops at the first token that does not fit. Time is linear in the length of the prompt, n log n in
  /// that of a word.
  public func encode(_ prompt: String) -> Encoding {
    let text = Array(prompt.unicodeScalars)
    var ids = [bosID]
    var truncated: [Unicode.Scalar]?
    for piece in rawMatcher.pieces(of: text[...]) {
      if let id = piece.id {
        if !append([id], to: &ids) { truncated = TextNormalizer.normalize(text[piece.text.startIndex...]) }
      } else if let rest = append(text: TextNormalizer.normalize(piece.text), to: &ids) {
        truncated = rest + TextNormalizer.normalize(text[piece.text.endIndex...])
      }
      if truncated != nil { break }
    }
    ids.append(eosID)
    ids.append(contentsOf: repeatElement(padID, count: maxLength - ids.count))
    return Encoding(ids: ids, truncatedText: truncated.map { String(String.UnicodeScalarView($0)) })
  }

  /// Appends the tokens of normalised text; returns the rest of the text from the first word that did not fit.
  private func append(text: [Unicode.Scalar], to ids: inout [Int]) -> [Unicode.Scalar]? {
    for piece in normalizedMatcher.pieces(of: text[...]) {
      if let id = piece.id {
        guard append([id], to: &ids) else { return Array(text[piece.text.startIndex...]) }
        continue
      }
      for word in WordSplitter(piece.text) {
        guard append(tokens(of: word), to: &ids) else { return Array(text[word.startIndex...]) }
      }
    }
    return nil
  }

  /// Appends as many tokens as leave room for eos; false if that is not all of them.
  private func append(_ tokens: [Int], to ids: inout [Int]) -> Bool {
    let room = maxLength - 1 - ids.count
    ids.append(contentsOf: tokens.prefix(room))
    return tokens.count <= room
  }

  private func tokens(of word: ArraySlice<Unicode.Scalar>) -> [Int] {
    let bytes = String(String.UnicodeScalarView(word)).utf8
    var symbols = bytes.map { byteIDs[Int($0)] }
    if let last = bytes.last { symbols[symbols.count - 1] = finalByteIDs[Int(last)] }
    return merger.merge(symbols).map(Int.init)
  }
}
