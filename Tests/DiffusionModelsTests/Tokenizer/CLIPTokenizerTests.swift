import GraphIR
import Testing

@testable import DiffusionModels

struct CLIPTokenizerTests {
  /// a, b, ab and the special tokens.
  private func small(
    _ changes: [String: Int?] = [:], merges: [(left: String, right: String)] = [("a", "b</w>")],
    special: CLIPTokenizer.SpecialTokens = .init(), maxLength: Int = 6
  ) throws(SDError) -> CLIPTokenizer {
    var vocabulary: [String: Int] = [
      "a": 0, "b": 1, "a</w>": 2, "b</w>": 3, "ab</w>": 4, "<|startoftext|>": 5, "<|endoftext|>": 6,
    ]
    for (token, id) in changes { vocabulary[token] = id }
    return try CLIPTokenizer(
      vocabulary: vocabulary, merges: merges, specialTokens: special, maxLength: maxLength)
  }

  @Test func encode() throws {
    #expect(try small().encode("AB a").ids == [5, 4, 2, 6, 6, 6])
    #expect(try small().encode("").ids == [5, 6, 6, 6, 6, 6])
    #expect(try small(maxLength: 2).encode("a b").ids == [5, 6])
  }

  @Test func byteWithoutTokenIsUnknown() throws {
    #expect(try small().encode("acb").ids == [5, 0, 6, 3, 6, 6])
  }

  @Test func padding() throws {
    let tokenizer = try small(special: .init(pad: "b"))
    #expect(tokenizer.encode("a").ids == [5, 2, 6, 1, 1, 1])
    // The padding token is found before words are cut: "ab" is no longer one word.
    #expect(tokenizer.encode("ab").ids == [5, 2, 1, 6, 1, 1])
    #expect(tokenizer.encode("aB").ids == [5, 4, 6, 1, 1, 1])
  }

  @Test func truncation() throws {
    #expect(try small().encode("a b a b").truncatedText == nil)
    #expect(try small().encode("a b a b  ").truncatedText == nil)
    #expect(try small().encode("a b a b A  Ba").truncatedText == "a ba")
    #expect(try small().encode("a b a aaA b").truncatedText == "aaa b")
    #expect(try small().encode("a b a aaa b").ids == [5, 2, 3, 2, 0, 6])
    #expect(try small().encode("a b a b<|endoftext|>a").truncatedText == "<|endoftext|>a")
    #expect(try small().encode("a b a b a<|endoftext|>A").truncatedText == "a<|endoftext|>a")
  }

  @Test(.timeLimit(.minutes(1))) func longPrompts() throws {
    let tokenizer = try TokenizerFixture.clip()
    let length = 100_000
    for word in ["a", "!", "a b ", "\u{301}\u{316}", "1", "<|endoftext|>", "\u{1112}\u{1161}\u{11AB}", "'s"] {
      let prompt = String(repeating: word, count: length / word.utf8.count)
      #expect(tokenizer.encode(prompt).ids.count == 77)
    }
  }

  @Test func byteLevel() throws {
    let tokenizer = try CLIPTokenizer.byteLevel()
    #expect(tokenizer.vocabulary.count == 49408)
    #expect(tokenizer.encode("Hi é").ids.prefix(7) == [49406, 71, 256 + 72, 127, 256 + 102, 49407, 49407])
    #expect(try CLIPTokenizer.byteLevel(pad: "!").encode("a!").ids.prefix(5) == [49406, 320, 0, 49407, 0])
    try tokenizer.validate(embeddingRows: 49408)
    #expect(
      throws: SDError(.usage, "a byte-level vocabulary of 513 tokens is too small, it has at least 514")
    ) {
      try CLIPTokenizer.byteLevel(size: 513)
    }
  }

  @Test func embeddingRows() throws {
    try small().validate(embeddingRows: 7)
    let error = SDError(
      .invalid, "the tokenizer gives \"<|endoftext|>\" the id 6, the text encoder's embedding has 6 rows",
      hint: "the tokenizer and the text encoder belong to different models")
    #expect(throws: error) { try small().validate(embeddingRows: 6) }
  }

  @Test func damagedVocabularies() {
    func expect(_ message: String, hint: String? = nil, _ body: () throws -> CLIPTokenizer) {
      #expect(throws: SDError(.invalid, message, hint: hint), performing: body)
    }
    let mismatch = "vocab.json and merges.txt belong to different tokenizers"
    expect("the tokenizer's vocabulary gives \"a\" the id -1, ids are 0 to 2147483647") {
      try small(["a": -1])
    }
    expect("the tokenizer's vocabulary gives \"a\" the id 2147483648, ids are 0 to 2147483647") {
      try small(["a": 1 << 31])
    }
    expect("the tokenizer's vocabulary gives \"a</w>\" and \"b\" the same id, 2") { try small(["b": 2]) }
    expect("the tokenizer's eos_token \"<|endoftext|>\" is not in its vocabulary") {
      try small(["<|endoftext|>": Int?.none])
    }
    expect("the tokenizer's pad_token \"\" is not in its vocabulary") {
      try small(["": 9], special: .init(pad: ""))
    }
    expect("the tokenizer's model_max_length is 1, it must be 2 to 65536") { try small(maxLength: 1) }
    expect(
      "merge rule 2, \"a b\", needs the token \"ab\", which is not in the tokenizer's vocabulary",
      hint: mismatch
    ) { try small(merges: [("a", "b</w>"), ("a", "b")]) }
    expect(
      "merge rule 1, \"c b\", needs the token \"c\", which is not in the tokenizer's vocabulary",
      hint: mismatch
    ) { try small(merges: [("c", "b")]) }
  }

  @Test func mergesFile() throws {
    let merges = try CLIPTokenizer.parseMerges("#version: 0.2\na b</w>\r\n# #</w>\n")
    #expect(merges.map(\.left) == ["a", "#"])
    #expect(merges.map(\.right) == ["b</w>", "#</w>"])
    #expect(try CLIPTokenizer.parseMerges("").isEmpty)
    for line in ["a", "a b c", "", " a", "a  b"] {
      let message = "merges.txt: line 2 is \"\(line)\", a merge rule is two tokens separated by a space"
      #expect(throws: SDError(.invalid, message)) { try CLIPTokenizer.parseMerges("x y\n\(line)\nx z\n") }
    }
  }
}
