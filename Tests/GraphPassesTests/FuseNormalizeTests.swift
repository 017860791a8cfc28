import GraphIR
import GraphPasses
import Testing

@Suite struct FuseNormalizeTests {
  /// groupNorm(x), then what `body` makes of it.
  private func graph(_ shape: [Int] = [2, 5, 4, 6], _ body: @escaping (Value, Value) throws -> Value) throws -> Graph {
    try apply(
      FuseGroupNormSiLU(), FuseConv(),
      to: makeGraph { b in
        let x = try b.x(shape)
        let channels = shape[shape.count - 1]
        let norm = try x.groupNorm(
          b.parameter("gamma", [channels]), b.parameter("beta", [channels]), groups: 3, eps: 1e-5)
        return try body(norm, x)
      })
  }

  @Test func beforeAConvolution() throws {
    let graph = try apply(
      FuseNormalize(),
      to: graph { norm, x in
        let b = norm.builder
        return try norm.silu().conv2d(b.parameter("w", [5, 6, 3, 3]), padding: Padding(1)).adding(b.parameter("b", [5]))
          .adding(x.conv2d(b.parameter("s", [5, 6, 1, 1])))
      })
    let conv = try graph.only(FusedConv.self)
    #expect(conv.sources.compactMap(\.normalize) == [Normalize(groups: 3, eps: 1e-5, activation: .silu)])
    #expect(graph.count("normalize") == 0)
  }

  /// A transformer's first layer reads pixels as tokens.
  @Test func behindAReshape() throws {
    let graph = try apply(
      FuseNormalize(),
      to: graph { norm, _ in
        try norm.reshaped([2, 20, 6]).matmul(norm.builder.parameter("w", [7, 6]), transposeB: true)
      })
    #expect(try graph.only(FusedConv.self).sources[0].normalize != nil)
    #expect(graph.count("normalize") == 0)
  }

  /// Its samples would be other ones.
  @Test func notAcrossSamples() throws {
    try expectUnchanged(
      graph { norm, _ in
        try norm.reshaped([40, 6]).matmul(norm.builder.parameter("w", [7, 6]), transposeB: true)
      }, by: FuseNormalize())
  }

  @Test func notWithAnotherReader() throws {
    try expectUnchanged(
      graph { norm, _ in
        let image = try norm.silu()
        return try image.conv2d(norm.builder.parameter("w", [6, 6, 1, 1])).silu().adding(image)
      }, by: FuseNormalize())
  }

  @Test func notBeforeAResize() throws {
    try expectUnchanged(
      graph { norm, _ in
        try norm.upsampleNearest(height: 7, width: 7).conv2d(norm.builder.parameter("w", [5, 6, 3, 3]))
      }, by: FuseNormalize())
  }
}
