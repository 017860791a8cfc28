import GraphIR
import GraphPasses
import Testing

@Suite struct FuseAttentionTests {
  /// The plain form: what a model declares.
  static func plain(
    _ q: Value, _ k: Value, _ v: Value, heads: Int, scale: Float?, causal: Bool = false
  ) throws -> Value {
    var scores = try q.splitHeads(heads).matmul(k.splitHeads(heads), transposeB: true)
    if let scale { scores = try scores.multiplied(by: q.builder.constant([], [scale])) }
    if causal { scores = try scores.adding(q.builder.causalMask(q.shape[1])) }
    return try scores.softmax().matmul(v.splitHeads(heads)).mergeHeads()
  }

  @Test(arguments: [(1, 5, 5, 3, false), (2, 4, 7, 2, false), (2, 6, 6, 4, true), (1, 3, 3, 1, true)])
  func fusesHeads(batch: Int, rows: Int, keys: Int, heads: Int, causal: Bool) throws {
    let graph = try apply(
      FuseAttention(), Simplify(),
      to: makeGraph { b in
        let q = try b.x([batch, rows, heads * 4], "q")
        let (k, v) = (try b.x([batch, keys, heads * 4], "k"), try b.x([batch, keys, heads * 3], "v"))
        return try FuseAttentionTests.plain(q, k, v, heads: heads, scale: 0.5, causal: causal)
      })
    #expect(graph.opCounts() == ["sd.input": 3, "sd.attention": 1])
    let attention = try graph.only(Attention.self)
    #expect(attention.heads == heads && attention.scale == 0.5 && attention.causal == causal)
  }

  @Test func withoutScale() throws {
    let graph = try apply(
      FuseAttention(), Simplify(),
      to: makeGraph { b in
        let x = try b.x([2, 5, 8])
        return try FuseAttentionTests.plain(x, x, x, heads: 2, scale: nil)
      })
    #expect(graph.opCounts() == ["sd.input": 1, "sd.attention": 1])
    #expect(try graph.only(Attention.self).scale == 1)
  }

  @Test func singleHeadWithoutSplit() throws {
    let graph = try apply(
      FuseAttention(),
      to: makeGraph { b in
        let (q, k, v) = (try b.x([2, 5, 8], "q"), try b.x([2, 6, 8], "k"), try b.x([2, 6, 8], "v"))
        return try q.matmul(k, transposeB: true).multiplied(by: b.constant([], [0.25])).softmax().matmul(v)
      })
    #expect(graph.opCounts() == ["sd.input": 3, "sd.attention": 1])
  }

  @Test func declinesOtherUsersOfTheScores() throws {
    let builder = GraphBuilder(name: "g")
    let x = try builder.x([1, 4, 8])
    let scores = try x.splitHeads(2).matmul(x.splitHeads(2), transposeB: true).softmax()
    try builder.output("y", scores.matmul(x.splitHeads(2)).mergeHeads())
    try builder.output("probabilities", scores)
    #expect(try apply(FuseAttention(), to: builder.graph).count("attention") == 0)
  }

  @Test func declinesOtherForms() throws {
    // A mask of another kind.
    try expectUnchanged(
      makeGraph { b in
        let x = try b.x([1, 4, 8])
        let scores = try x.splitHeads(2).matmul(x.splitHeads(2), transposeB: true).adding(
          b.x([4, 4], "mask"))
        return try scores.softmax().matmul(x.splitHeads(2)).mergeHeads()
      }, by: FuseAttention())
    // Scales that differ.
    try expectUnchanged(
      makeGraph { b in
        let x = try b.x([1, 2, 8])
        return try x.matmul(x, transposeB: true).multiplied(by: b.constant([2], [1, 2])).softmax().matmul(x)
      }, by: FuseAttention())
    // Keys that are broadcast.
    try expectUnchanged(
      makeGraph { b in
        let (x, k) = (try b.x([2, 4, 8]), try b.x([1, 4, 8], "k"))
        return try x.matmul(k, transposeB: true).softmax().matmul(k)
      }, by: FuseAttention())
  }
}
