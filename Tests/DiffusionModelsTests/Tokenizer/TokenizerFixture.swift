import Foundation
import GraphIR
import TestSupport

@testable import DiffusionModels

/// CLIP's vocabulary and the ids of transformers, made by Tools/reference/tokenizer.py.
enum TokenizerFixture {
  /// A prompt and its ids without padding, by the kind of special tokens.
  struct Case: Decodable {
    let prompt: String
    let sd1: [Int]
    let sd2: [Int]
    let plain: [Int]
  }

  static func cases() throws -> [Case] {
    try JSONDecoder().decode([Case].self, from: Data(contentsOf: file("prompts.json")))
  }

  /// Digests of ids by the first character of a block of 4096.
  static func codepointDigests() throws -> [UInt32: UInt64] {
    let stored = try JSONDecoder().decode(
      [String: String].self, from: Data(contentsOf: file("codepoints.json")))
    return Dictionary(
      uniqueKeysWithValues: stored.compactMap { block, digest in
        UInt32(block).flatMap { block in UInt64(digest).map { (block, $0) } }
      })
  }

  /// Special tokens as the Stable Diffusion 1.5 and 2.1 checkpoints have them.
  static let sd1 = special(pad: "<|endoftext|>")
  static let sd2 = special(pad: "!")

  /// CLIP's tokenizer: 512 byte tokens, the products of the merges, bos, eos.
  static func clip(
    _ special: CLIPTokenizer.SpecialTokens = .init(), maxLength: Int = 77
  ) throws -> CLIPTokenizer {
    let merges = try CLIPTokenizer.parseMerges(String(contentsOf: file("merges.txt"), encoding: .utf8))
    let tokens =
      ByteAlphabet.tokens + merges.map { $0.left + $0.right } + ["<|startoftext|>", "<|endoftext|>"]
    let vocabulary = Dictionary(uniqueKeysWithValues: tokens.enumerated().map { ($1, $0) })
    return try CLIPTokenizer(
      vocabulary: vocabulary, merges: merges, specialTokens: special, maxLength: maxLength)
  }

  private static func special(pad: CLIPTokenizer.AddedToken) -> CLIPTokenizer.SpecialTokens {
    let eos = CLIPTokenizer.AddedToken("<|endoftext|>", isNormalized: true)
    return .init(bos: .init("<|startoftext|>", isNormalized: true), eos: eos, unk: eos, pad: pad)
  }

  private static func file(_ name: String) -> URL {
    URL(filePath: fixture("tokenizer/\(name)"))
  }
}
