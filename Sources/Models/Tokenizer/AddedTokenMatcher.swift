/// Cuts a text at the added tokens, leftmost first, at one place the longest.
struct AddedTokenMatcher: Sendable {
  /// A part of the text: an added token, or (`id` nil) what lies between two.
  struct Piece {
    var text: ArraySlice<Unicode.Scalar>
    var id: Int?
  }

  private let tokens: [(text: [Unicode.Scalar], id: Int)]

  /// A matcher of `tokens`, whose texts are not empty.
  init(_ tokens: [(text: [Unicode.Scalar], id: Int)]) {
    self.tokens = tokens.sorted { $0.text.count > $1.text.count }
  }

  /// The pieces of `text` in order; they are found one at a time.
  func pieces(of text: ArraySlice<Unicode.Scalar>) -> some Sequence<Piece> {
    sequence(state: text) { rest in
      guard !rest.isEmpty else { return nil }
      var piece: Piece
      if let token = match(rest) {
        piece = Piece(text: rest.prefix(token.text.count), id: token.id)
      } else {
        let end = rest.indices.dropFirst().first { match(rest[$0...]) != nil } ?? rest.endIndex
        piece = Piece(text: rest[..<end], id: nil)
      }
      rest = rest[piece.text.endIndex...]
      return piece
    }
  }

  private func match(_ rest: ArraySlice<Unicode.Scalar>) -> (text: [Unicode.Scalar], id: Int)? {
    tokens.first { rest.starts(with: $0.text) }
  }
}
