import Testing

@testable import DiffusionModels

/// Ids against those of transformers.
struct CLIPTokenizerParityTests {
  @Test(arguments: ["sd1", "sd2", "plain"]) func prompts(kind: String) throws {
    let tokenizer = try TokenizerFixture.clip(
      kind == "sd1" ? TokenizerFixture.sd1 : kind == "sd2" ? TokenizerFixture.sd2 : .init())
    let pad = kind == "sd2" ? 0 : 49407
    let cases = try TokenizerFixture.cases()
    #expect(cases.count > 200)
    for test in cases {
      let ids = kind == "sd1" ? test.sd1 : kind == "sd2" ? test.sd2 : test.plain
      let padded = ids + Array(repeating: pad, count: 77 - ids.count)
      #expect(tokenizer.encode(test.prompt).ids == padded, "\(test.prompt.prefix(80).debugDescription)")
    }
  }

  /// Every character of Unicode 14 (but most of CJK, Hangul and private use) inside a word, alone, twice, and
  /// behind punctuation.
  @Test func characters() throws {
    let tokenizer = try TokenizerFixture.clip(TokenizerFixture.sd1, maxLength: 100)
    let digests = try TokenizerFixture.codepointDigests()
    #expect(digests.count == 20)
    for (block, expected) in digests {
      var digest: UInt64 = 0xCBF2_9CE4_8422_2325
      for scalar in (block..<(block + 0x1000)).compactMap(Unicode.Scalar.init) {
        guard scalar.properties.age.map({ $0.major <= 14 }) == true else { continue }
        guard ![.unassigned, .privateUse].contains(scalar.properties.generalCategory) else { continue }
        for id in tokenizer.encode("a\(scalar)1\(scalar)\(scalar).\(scalar)").ids.dropFirst() {
          if id == 49407 { break }
          digest = (digest ^ UInt64(id)) &* 0x100_0000_01B3
        }
      }
      #expect(digest == expected, "U+\(String(block, radix: 16))")
    }
  }
}
