import GraphIR
import GraphPasses
import Testing

@Suite struct FuseFeedForwardTests {
  /// A gated layer of 6 columns behind x, then what `body` makes of it.
  private func graph(_ body: @escaping (Value, Value) throws -> Value) throws -> Graph {
    try apply(
      FuseConv(), FuseGEGLU(),
      to: makeGraph { b in
        let x = try b.x([2, 3, 4])
        let h = try x.linear(b.parameter("v", [12, 4]), b.parameter("c", [12]))
        return try body(h.sliced(0..<6).multiplied(by: h.sliced(6..<12).gelu()), x)
      })
  }

  private func second(_ hidden: Value) throws -> Value {
    try hidden.matmul(hidden.builder.parameter("w", [4, 6]), transposeB: true)
  }

  @Test func fusesBoth() throws {
    let bodies: [(epilogues: [FusedConv.Epilogue], body: (Value, Value) throws -> Value)] = [
      ([], { h, _ in try second(h) }),
      ([.bias], { h, _ in try second(h).adding(h.builder.parameter("b", [4])) }),
      ([.residual], { h, x in try second(h).adding(x) }),
      ([.bias, .residual], { h, x in try second(h).adding(h.builder.parameter("b", [4])).adding(x) }),
    ]
    for (epilogues, body) in bodies {
      let both = try apply(FuseFeedForward(), to: graph(body))
      let op = try both.only(FusedFeedForward.self)
      #expect(op.hidden.epilogues == [.bias, .gate(.gelu)] && op.output.epilogues == epilogues)
      #expect(both.count("fused_conv") == 0)
    }
  }

  /// A layer that is computed once a prompt is not computed at every step for the sake of what is added behind it.
  @Test func notAcrossRates() throws {
    try expectUnchanged(
      apply(
        FuseConv(), FuseGEGLU(),
        to: makeGraph { b in
          let x = try b.x([2, 3, 4], "prompt", rate: .prompt)
          let h = try x.linear(b.parameter("v", [12, 4]), b.parameter("c", [12]))
          return try second(h.sliced(0..<6).multiplied(by: h.sliced(6..<12).gelu())).adding(b.x([2, 3, 4]))
        }), by: FuseFeedForward())
  }

  @Test func declines() throws {
    // No gate.
    try expectUnchanged(
      apply(FuseConv(), to: makeGraph { b in try second(b.x([2, 3, 4]).linear(b.parameter("v", [6, 4])).silu()) }),
      by: FuseFeedForward())
    // Another reader.
    try expectUnchanged(
      graph { h, _ in try second(h).adding(h.sliced(0..<4)) }, by: FuseFeedForward())
    // Not the image.
    try expectUnchanged(
      graph { h, x in try x.matmul(h.builder.parameter("w", [6, 4]), transposeB: true).adding(h) },
      by: FuseFeedForward())
    // Behind another shape its rows are others.
    try expectUnchanged(
      graph { h, _ in try h.reshaped([2, 9, 2]).matmul(h.builder.parameter("w", [4, 2]), transposeB: true) },
      by: FuseFeedForward())
  }
}
