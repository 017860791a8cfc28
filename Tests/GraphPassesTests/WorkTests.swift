import GraphIR
import GraphPasses
import Synchronization
import Testing

@Suite struct WorkTests {
  @Test func countsWhatIsComputedAndWritten() throws {
    let graph = try makeGraph { b in
      let weight = try b.parameter("w", [4, 3]).multiplied(by: b.parameter("g", [3]))
      return try b.x([2, 6]).reshaped([4, 3]).matmul(weight, transposeB: true).sliced(0..<2).silu()
    }
    #expect(graph.work == Work(flops: 2 * 4 * 4 * 3, bytes: 4 * (16 + 8), ops: 2))
  }

  @Test func absurdSumsStayAtTheLimit() {
    let (large, small) = (Work(flops: .max, bytes: 1), Work(flops: -2, bytes: 2))
    #expect(large + large == Work(flops: .max, bytes: 2))
    #expect(small - large == Work(flops: .min, bytes: 1))
  }

  /// What a pass got, of what was predicted, on its line.
  @Test func savingsAreWorded() throws {
    let journal = Journal()
    var manager = try PassManager(journal.options, passes: [])
    let graph = try makeGraph { b in
      try b.x([256, 1024]).linear(b.parameter("w", [1024, 1024])).silu().exp()
    }
    _ = try manager.run([FuseConv(), FoldConstants()], on: graph)
    let lines = journal.lines.withLock(\.self)
    #expect(lines[0].hasSuffix(" ms; saves 1.0 of 1.0 MiB written, 1 of 1 ops"))
    #expect(lines[1].hasSuffix(" ms"))
    let entry = try #require(manager.report.entries.first)
    #expect(entry.predicted == Work(bytes: 1 << 20, ops: 1) && entry.got == entry.predicted)
  }
}
