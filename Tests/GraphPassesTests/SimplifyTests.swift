import GraphIR
import GraphPasses
import Testing

@Suite struct SimplifyTests {
  typealias Body = @Sendable (GraphBuilder, Value) throws -> Value

  /// Expressions over x `[2, 3, 4]` that are x itself.
  static let identities: [(String, Body)] = [
    ("x + 0", { b, x in try x.adding(b.constant([], [0])) }),
    ("0 + x", { b, x in try b.constant([4], [0, 0, 0, 0]).adding(x) }),
    ("x - 0", { b, x in try x.subtracting(b.constant([], [0])) }),
    ("x * 1", { b, x in try x.multiplied(by: b.constant([], [1])) }),
    ("x / 1", { b, x in try x.divided(by: b.constant([], [1])) }),
    ("reshape there and back", { _, x in try x.reshaped([24]).reshaped([2, 12]).reshaped([2, 3, 4]) }),
    ("transpose there and back", { _, x in try x.transposed([1, 2, 0]).transposed([2, 0, 1]) }),
    ("identity transpose", { _, x in try x.transposed([0, 1, 2]) }),
    ("slice of concat", { b, x in try b.concat([x.silu(), x], axis: 1).sliced(3..<6, axis: 1) }),
    ("concat of one", { b, x in try b.concat([x], axis: 0) }),
    ("float16 and back", { _, x in try x.cast(to: .f32) }),
  ]

  @Test(arguments: identities.indices) func removesIdentity(_ index: Int) throws {
    let (name, body) = SimplifyTests.identities[index]
    let graph = try apply(Simplify(), to: makeGraph { b in try body(b, b.x([2, 3, 4])) })
    #expect(graph.nodes.count == 1, "\(name): \(graph.opCounts())")
  }

  @Test func composesTranspositions() throws {
    let graph = try apply(
      Simplify(), to: makeGraph { b in try b.x([2, 3, 4]).transposed([1, 2, 0]).transposed([1, 0, 2]) })
    #expect(try graph.only(Transpose.self).permutation == [2, 1, 0])
  }

  @Test func composesSlices() throws {
    let graph = try apply(
      Simplify(), to: makeGraph { b in try b.x([2, 9]).sliced(2..<8).sliced(1..<4) })
    let slice = try graph.only(Slice.self)
    #expect(slice.start == 3 && slice.end == 6)
  }

  @Test func slicesInsideAnOperandOfConcat() throws {
    let graph = try apply(
      Simplify(),
      to: makeGraph { b in try b.concat([b.x([2, 3], "a"), b.x([2, 5], "b")], axis: 1).sliced(4..<7) })
    #expect(graph.count("concat") == 0)
    #expect(try graph.only(Slice.self).start == 1)
  }

  @Test func dropsExactInnerCast() throws {
    let graph = try apply(
      Simplify(),
      to: makeGraph { b in
        try b.input("x", TensorType(.bf16, [4])).cast(to: .f32).cast(to: .f16)
      })
    #expect(graph.count("cast") == 1)
  }

  @Test func keepsRoundingCast() throws {
    try expectUnchanged(makeGraph { b in try b.x([4]).cast(to: .bf16).cast(to: .f32) }, by: Simplify())
  }

  @Test func keepsWhatBroadcasts() throws {
    try expectUnchanged(
      makeGraph { b in try b.x([1, 3]).adding(b.constant([2, 1], [0, 0])) }, by: Simplify())
  }

  @Test func keepsSlicesAcrossOperands() throws {
    try expectUnchanged(
      makeGraph { b in try b.concat([b.x([2, 3], "a"), b.x([2, 5], "b")], axis: 1).sliced(2..<4) },
      by: Simplify())
    try expectUnchanged(
      makeGraph { b in try b.x([4, 4]).sliced(1..<3, axis: 0).sliced(1..<3) }, by: Simplify())
  }

  @Test func dropsDeadNodes() throws {
    let graph = try apply(
      Simplify(),
      to: makeGraph { b in
        _ = try b.x([3], "unused").silu()
        return try b.x([3]).gelu()
      })
    #expect(graph.nodes.count == 2)
  }
}
