import GraphIR
import GraphPasses
import Testing

@Suite struct FuseGEGLUTests {
  static func hidden(_ b: GraphBuilder) throws -> Value {
    try b.x([2, 3, 4]).linear(b.parameter("w", [12, 4]), b.parameter("b", [12]))
  }

  @Test func fusesGate() throws {
    let graph = try apply(
      FuseConv(), FuseGEGLU(),
      to: makeGraph { b in
        let h = try FuseGEGLUTests.hidden(b)
        return try h.sliced(0..<6).multiplied(by: h.sliced(6..<12).gelu())
      })
    #expect(try graph.only(FusedConv.self).epilogues == [.bias, .gate(.gelu)])
    #expect(graph.count("slice") + graph.count("multiply") + graph.count("gelu") == 0)
  }

  @Test func fusesOtherActivationsAndOrders() throws {
    let graph = try apply(
      FuseConv(), FuseGEGLU(),
      to: makeGraph { b in
        let h = try FuseGEGLUTests.hidden(b)
        return try h.sliced(6..<12).silu().multiplied(by: h.sliced(0..<6))
      })
    #expect(try graph.only(FusedConv.self).epilogues == [.bias, .gate(.silu)])
  }

  @Test func declines() throws {
    let bodies: [(Value) throws -> Value] = [
      // The first half is activated.
      { h in try h.sliced(0..<6).gelu().multiplied(by: h.sliced(6..<12)) },
      // Not halves.
      { h in try h.sliced(0..<5).multiplied(by: h.sliced(6..<11).gelu()) },
      // Another axis.
      { h in try h.sliced(0..<1, axis: 0).multiplied(by: h.sliced(1..<2, axis: 0).gelu()) },
      // Another user.
      { h in try h.sliced(0..<6).multiplied(by: h.sliced(6..<12).gelu()).adding(h.sliced(1..<7)) },
    ]
    for body in bodies {
      let graph = try apply(
        FuseConv(), FuseGEGLU(), to: makeGraph { b in try body(FuseGEGLUTests.hidden(b)) })
      #expect(graph.count("multiply") == 1)
    }
  }
}
