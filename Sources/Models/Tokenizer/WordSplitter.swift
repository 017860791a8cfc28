/// The words of normalised text, as CLIP's pattern cuts them; white space separates and is dropped.
///
/// The pattern, alternatives in order: the two literal markers, an English contraction, a run of letters, one
/// digit (any `\p{N}`), a run of anything else:
///
///     <\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+
///
/// The byte-level step behind it cuts once more, with a pattern that does not know the markers: a marker comes
/// out as three words, "<|", "endoftext", "|>".
struct WordSplitter: Sequence, IteratorProtocol {
  private var rest: ArraySlice<Unicode.Scalar>
  /// End of the marker being read; no word crosses it.
  private var markerEnd: Int

  private static let markers = ["<|startoftext|>", "<|endoftext|>"].map { Array($0.unicodeScalars) }
  private static let contractions = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"].map {
    Array($0.unicodeScalars)
  }

  /// Starts at the beginning of `text`, the output of `TextNormalizer`.
  init(_ text: ArraySlice<Unicode.Scalar>) {
    rest = text
    markerEnd = text.startIndex
  }

  mutating func next() -> ArraySlice<Unicode.Scalar>? {
    rest = rest.drop { $0.wordClass == .space }
    guard let first = rest.first else { return nil }
    if first == "<", let marker = Self.markers.first(where: rest.starts(with:)) {
      markerEnd = rest.startIndex + marker.count
    }
    let word: ArraySlice<Unicode.Scalar>
    if first == "'", let contraction = Self.contractions.first(where: rest.starts(with:)) {
      word = rest.prefix(contraction.count)
    } else if first.wordClass == .number {
      word = rest.prefix(1)
    } else {
      let limit = rest.startIndex < markerEnd ? markerEnd : rest.endIndex
      word = rest[..<limit].prefix { $0.wordClass == first.wordClass }
    }
    rest = rest[word.endIndex...]
    return word
  }
}

extension Unicode.Scalar {
  /// The classes that CLIP's pattern tells apart.
  fileprivate enum WordClass { case letter, number, space, other }

  /// The class by general category as of Unicode 16, the version of the reference; later letters and digits
  /// are `other` there.
  fileprivate var wordClass: WordClass {
    if isASCII {
      switch value {
      case 0x30...0x39: return .number
      case 0x41...0x5A, 0x61...0x7A: return .letter
      case 0x09...0x0D, 0x20: return .space
      default: return .other
      }
    }
    let kind: WordClass
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: kind = .letter
    case .decimalNumber, .letterNumber, .otherNumber: kind = .number
    default: return properties.isWhitespace ? .space : .other
    }
    guard let age = properties.age, age.major <= 16 else { return .other }
    return kind
  }
}
