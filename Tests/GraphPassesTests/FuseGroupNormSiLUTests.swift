import GraphIR
import GraphPasses
import Testing

@Suite struct FuseGroupNormSiLUTests {
  static func norm(_ b: GraphBuilder, _ x: Value, groups: Int) throws -> Value {
    let channels = x.type.lastDimension
    return try x.groupNorm(b.parameter("g", [channels]), b.parameter("b", [channels]), groups: groups)
  }

  @Test(arguments: [
    ([2, 4, 4, 6], 3), ([1, 5, 7, 4], 2), ([2, 9, 8], 8), ([3, 4], 2), ([1, 33, 40, 2], 1),
  ])
  func fusesActivation(shape: [Int], groups: Int) throws {
    let graph = try apply(
      FuseGroupNormSiLU(),
      to: makeGraph { b in try FuseGroupNormSiLUTests.norm(b, b.x(shape), groups: groups).silu() })
    #expect(graph.count("channel_statistics") == 1 && graph.count("silu") == 0)
    #expect(try graph.only(Normalize.self).activation == .silu)
  }

  @Test func partsFollowFromTheShape() throws {
    for (shape, parts) in [
      ([1, 8, 8, 4], 1), ([1, 64, 64, 2], 16), ([1, 96, 96, 2], 36), ([1, 48, 48, 2], 8), ([1, 24, 24, 2], 2),
      ([1, 33, 40, 2], 3), ([1, 128, 128, 2], 64), ([1, 256, 128, 2], 64), ([1, 256, 256, 2], 64),
      ([1, 512, 512, 2], 128), ([1, 768, 768, 2], 192), ([1, 1024, 1024, 2], 64), ([1, 320, 320, 2], 50),
      ([1, 384, 384, 256], 72), ([1, 384, 384, 512], 144),
      // A prime number of lines, and pixels that are in no lines.
      ([1, 37, 40, 2], 5), ([1, 4096, 2], 16),
    ] {
      let graph = try makeGraph { b in try FuseGroupNormSiLUTests.norm(b, b.x(shape), groups: 1) }
      var context = PassContext()
      let fused = try FuseGroupNormSiLU().run(graph, &context)
      #expect(try fused.only(ChannelStatistics.self).parts == parts)
    }
  }

  @Test func keepsAnActivationWhoseOperandIsReadElsewhere() throws {
    let graph = try apply(
      FuseGroupNormSiLU(),
      to: makeGraph { b in
        let norm = try FuseGroupNormSiLUTests.norm(b, b.x([1, 3, 3, 4]), groups: 2)
        return try norm.silu().adding(norm)
      })
    #expect(graph.count("silu") == 1)
    #expect(try graph.only(Normalize.self).activation == nil)
  }
}
