// Foundation's canonical mapping needs minutes for megabytes and leaves some Hangul apart (an LV syllable
// before a trailing consonant), so the standard library's own NFC is used.
@_spi(_Unicode) import Swift

/// The text normalisation of CLIP's tokenizer: NFC, white space collapsed, lower case.
///
/// Equal to the Rust library `tokenizers` 0.23, over all code points and random sequences of marks.
enum TextNormalizer {
  /// `text` in NFC, with each run of white space as one space, in lower case (full mappings without context:
  /// "İ" becomes "i̇", a final "Σ" becomes "σ").
  static func normalize(_ text: some Sequence<Unicode.Scalar>) -> [Unicode.Scalar] {
    var result: [Unicode.Scalar] = []
    var inSpace = false
    for scalar in compose(text) {
      if scalar.properties.isWhitespace {
        if !inSpace { result.append(" ") }
        inSpace = true
        continue
      }
      inSpace = false
      if scalar.isASCII {
        result.append(("A"..."Z").contains(scalar) ? Unicode.Scalar(UInt8(scalar.value | 0x20)) : scalar)
      } else {
        result.append(contentsOf: scalar.properties.lowercaseMapping.unicodeScalars)
      }
    }
    return result
  }

  /// NFC as of Unicode 9, the version that the reference composes with. Characters that came later are inert
  /// there, neither composed nor reordered, so the text between them is composed piece by piece.
  private static func compose(_ text: some Sequence<Unicode.Scalar>) -> [Unicode.Scalar] {
    var result: [Unicode.Scalar] = []
    var run: [Unicode.Scalar] = []
    func flush() {
      if run.contains(where: { $0.value >= 0x300 }) {
        sortMarks(&run)
        result.append(contentsOf: String(String.UnicodeScalarView(run))._nfc)
      } else {  // U+0000–U+02FF are composed already.
        result.append(contentsOf: run)
      }
      run.removeAll(keepingCapacity: true)
    }
    for scalar in text {
      if scalar.value >= 0x300, let age = scalar.properties.age, age.major > 9 {
        flush()
        result.append(scalar)
      } else if let parts = tibetanVowels[scalar] {
        run.append(contentsOf: parts)
      } else {
        run.append(scalar)
      }
    }
    flush()
    return result
  }

  /// Sorts each run of combining marks by class, stably. The standard library would do it, but in quadratic time.
  private static func sortMarks(_ text: inout [Unicode.Scalar]) {
    var start = 0
    while start < text.count {
      let end =
        text[start...].firstIndex { $0.properties.canonicalCombiningClass == .notReordered } ?? text.count
      text[start..<end].sort { $0.properties.canonicalCombiningClass < $1.properties.canonicalCombiningClass }
      start = end + 1
    }
  }

  /// The only characters that count as starters but decompose into marks. The standard library does not sort
  /// those marks, so they are taken apart beforehand; no composition makes them again.
  private static let tibetanVowels: [Unicode.Scalar: [Unicode.Scalar]] = [
    "\u{F73}": ["\u{F71}", "\u{F72}"], "\u{F75}": ["\u{F71}", "\u{F74}"], "\u{F81}": ["\u{F71}", "\u{F80}"],
  ]
}
