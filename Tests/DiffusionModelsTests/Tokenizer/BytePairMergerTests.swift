import GraphIR
import TestSupport
import Testing

@testable import DiffusionModels

struct BytePairMergerTests {
  /// Rules in order of rank; what a pair makes is 100 times the left symbol plus the right.
  private func merger(_ pairs: [(Int32, Int32)]) -> BytePairMerger {
    var merger = BytePairMerger()
    for (rank, pair) in pairs.enumerated() {
      merger.add(pair.0, pair.1, .init(rank: Int32(rank), product: 100 * pair.0 + pair.1))
    }
    return merger
  }

  @Test func rankDecidesThenPosition() {
    let merger = merger([(2, 3), (1, 2), (3, 3), (1, 203), (1, 1)])
    #expect(merger.merge([1, 2, 3]) == [303])  // 2 3 first, then 1 203
    #expect(merger.merge([1, 2, 2, 3]) == [102, 203])
    #expect(merger.merge([1, 1, 1]) == [101, 1])
    #expect(merger.merge([3, 3, 3, 3, 3]) == [303, 303, 3])
    #expect(merger.merge([4, 5]) == [4, 5])
    #expect(merger.merge([1]) == [1])
    #expect(merger.merge([]) == [])
  }

  /// Against the definition: join the leftmost pair of lowest rank, again and again.
  @Test func agreesWithDefinition() {
    var generator = SplitMix64(seed: 1)
    for _ in 0..<300 {
      let pairs = (0..<6).map { _ in
        (Int32.random(in: 1...4, using: &generator), Int32.random(in: 1...4, using: &generator))
      }
      var ranks: [[Int32]: Int] = [:]
      for (rank, pair) in pairs.enumerated() { ranks[[pair.0, pair.1]] = rank }
      let word = (0..<20).map { _ in Int32.random(in: 1...4, using: &generator) }
      var expected = word
      while let best = zip(expected, expected.dropFirst()).enumerated()
        .compactMap({ place, pair in ranks[[pair.0, pair.1]].map { ($0, place) } }).min(by: <)
      {
        let product = 100 * expected[best.1] + expected[best.1 + 1]
        expected.replaceSubrange(best.1...(best.1 + 1), with: [product])
      }
      #expect(merger(pairs).merge(word) == expected, "\(pairs) \(word)")
    }
  }
}
