import GraphIR
import GraphPasses
import Testing

@Suite struct FuseStatisticsTests {
  /// A convolution to [2, 4, 6, 5], then what `body` makes of it.
  private func graph(_ body: @escaping (Value) throws -> Value) throws -> Graph {
    try apply(
      FuseConv(),
      to: makeGraph { b in
        try body(b.x([2, 4, 6, 3]).conv2d(b.parameter("w", [5, 3, 3, 3]), padding: Padding(1)).silu())
      })
  }

  private func normalized(_ x: Value, _ statistics: Value) throws -> Value {
    try x.normalize(
      statistics, x.builder.parameter("g", [5]), x.builder.parameter("b", [5]), groups: 5, eps: 1e-5, activation: .silu)
  }

  @Test func behindAConvolution() throws {
    let fused = try apply(
      FuseStatistics(), to: graph { y in try normalized(y, y.channelStatistics(parts: 3)) })
    let op = try fused.only(FusedConvStatistics.self)
    #expect(op.parts == 3 && op.conv.epilogues == [.activation(.silu)])
    #expect(fused.count("channel_statistics") + fused.count("fused_conv") == 0)
  }

  /// Tokens are pixels; and the result has other readers as well.
  @Test func behindAReshape() throws {
    let fused = try apply(
      FuseStatistics(),
      to: graph { y in
        let tokens = try y.reshaped([2, 24, 5])
        return try normalized(tokens, tokens.channelStatistics(parts: 2)).adding(tokens)
      })
    #expect(fused.count("fused_conv_statistics") == 1 && fused.count("channel_statistics") == 0)
  }

  /// Of two readers the first is served.
  @Test func twice() throws {
    let fused = try apply(
      FuseStatistics(),
      to: graph { y in
        try normalized(y, y.channelStatistics(parts: 3)).adding(normalized(y, y.channelStatistics(parts: 4)))
      })
    #expect(try fused.only(FusedConvStatistics.self).parts == 3)
    #expect(try fused.only(ChannelStatistics.self).parts == 4)
  }

  @Test func declines() throws {
    // Parts of unequal size.
    try expectUnchanged(
      graph { y in try normalized(y, y.channelStatistics(parts: 5)) }, by: FuseStatistics())
    // Other samples, other channels.
    try expectUnchanged(
      graph { y in try normalized(y, y.reshaped([2, 4, 6, 5]).applying(Exp()).channelStatistics(parts: 2)) },
      by: FuseStatistics())
    try expectUnchanged(
      graph { y in
        let halves = try y.reshaped([4, 12, 5])
        return try normalized(halves, halves.channelStatistics(parts: 2))
      }, by: FuseStatistics())
    // A gate.
    try expectUnchanged(
      apply(
        FuseConv(), FuseGEGLU(),
        to: makeGraph { b in
          let h = try b.x([2, 6, 3]).linear(b.parameter("w", [10, 3]), b.parameter("c", [10]))
          let y = try h.sliced(0..<5).multiplied(by: h.sliced(5..<10).gelu())
          return try normalized(y, y.channelStatistics(parts: 2))
        }), by: FuseStatistics())
  }
}
