/// Byte-pair encoding of one word: neighbours are joined, the pair of lowest rank first, until no rule applies.
///
/// Sennrich, Haddow and Birch, "Neural Machine Translation of Rare Words with Subword Units", 2016. The symbols
/// form a linked list and the candidate pairs a heap: O(n log n) in the length of the word.
struct BytePairMerger: Sendable {
  /// What becomes of a pair: earlier rules win, and of equal ones the leftmost place.
  struct Rule {
    var rank: Int32
    var product: Int32
  }

  private var rules: [UInt64: Rule] = [:]

  /// Adds the rule `left right -> product`; of two rules for one pair the later one stays.
  mutating func add(_ left: Int32, _ right: Int32, _ rule: Rule) {
    rules[Self.key(left, right)] = rule
  }

  /// The tokens of a word.
  ///
  /// - Parameter symbols: the tokens of the word's bytes, in order.
  func merge(_ symbols: [Int32]) -> [Int32] {
    guard symbols.count > 1 else { return symbols }
    var tokens = symbols
    var isLive = [Bool](repeating: true, count: symbols.count)
    var next = symbols.indices.map { $0 + 1 }
    var previous = symbols.indices.map { $0 - 1 }
    var heap = MinHeap()

    func offer(_ position: Int) {
      guard position >= 0, next[position] < tokens.count else { return }
      guard let rule = rules[Self.key(tokens[position], tokens[next[position]])] else { return }
      heap.push(Candidate(rule: rule, position: position))
    }
    for position in symbols.indices { offer(position) }
    while let best = heap.pop() {
      let left = best.position
      let right = next[left]
      // A candidate is stale when a neighbour was merged since.
      guard isLive[left], right < tokens.count,
        rules[Self.key(tokens[left], tokens[right])]?.product == best.rule.product
      else { continue }
      tokens[left] = best.rule.product
      isLive[right] = false
      next[left] = next[right]
      if next[left] < tokens.count { previous[next[left]] = left }
      offer(previous[left])
      offer(left)
    }
    return tokens.indices.filter { isLive[$0] }.map { tokens[$0] }
  }

  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }
}

/// A pair that can be merged: the rule and the position of its left symbol.
private struct Candidate {
  var rule: BytePairMerger.Rule
  var position: Int

  static func < (a: Candidate, b: Candidate) -> Bool {
    (a.rule.rank, a.position) < (b.rule.rank, b.position)
  }
}

/// A binary heap, smallest candidate first.
private struct MinHeap {
  private var items: [Candidate] = []

  mutating func push(_ item: Candidate) {
    items.append(item)
    var child = items.count - 1
    while child > 0, item < items[(child - 1) / 2] {
      items.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func pop() -> Candidate? {
    guard let last = items.popLast() else { return nil }
    guard let top = items.first else { return last }
    items[0] = last
    var parent = 0
    while 2 * parent + 1 < items.count {
      var child = 2 * parent + 1
      if child + 1 < items.count, items[child + 1] < items[child] { child += 1 }
      guard items[child] < last else { break }
      items.swapAt(parent, child)
      parent = child
    }
    return top
  }
}
