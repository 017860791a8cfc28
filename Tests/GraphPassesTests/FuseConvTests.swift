import GraphIR
import GraphPasses
import Testing

@Suite struct FuseConvTests {
  static func conv(_ b: GraphBuilder, _ x: Value, _ name: String = "w", _ channels: Int = 4) throws -> Value {
    try x.conv2d(
      b.parameter("\(name).weight", [channels, x.shape[3], 3, 3]), b.parameter("\(name).bias", [channels]),
      padding: Padding(1))
  }

  @Test func absorbsEpiloguesInOrder() throws {
    let graph = try apply(
      FuseConv(),
      to: makeGraph { b in
        let x = try b.x([2, 5, 5, 4])
        let time = try b.x([2, 4], "time").reshaped([2, 1, 1, 4])
        return try x.adding(FuseConvTests.conv(b, x).adding(time).silu())
      })
    let conv = try graph.only(FusedConv.self)
    #expect(conv.epilogues == [.bias, .row, .activation(.silu), .residual])
    #expect(graph.count("add") + graph.count("silu") + graph.count("conv2d") == 0)
  }

  @Test func absorbsRowsOfEveryRank() throws {
    for (shape, row) in [([2, 3, 4], [2, 1, 4]), ([2, 3, 4], [1, 1, 4]), ([2, 4], [1, 4])] {
      let graph = try apply(
        FuseConv(),
        to: makeGraph { b in
          try b.x(row, "row").adding(b.x(shape).linear(b.parameter("w", [4, 4])))
        })
      #expect(try graph.only(FusedConv.self).epilogues == [.row])
    }
  }

  @Test func absorbsActivations() throws {
    let cases: [(Activation, (Value) throws -> Value)] = [
      (.silu, { try $0.silu() }), (.gelu, { try $0.gelu() }), (.quickGELU, { try $0.quickGELU() }),
    ]
    for (activation, apply) in cases {
      let graph = try GraphPassesTests.apply(
        FuseConv(), to: makeGraph { b in try apply(b.x([3, 4]).linear(b.parameter("w", [5, 4]))) })
      #expect(try graph.only(FusedConv.self).epilogues == [.activation(activation)])
    }
  }

  @Test func absorbsUpsampling() throws {
    let graph = try apply(
      FuseConv(),
      to: makeGraph { b in try FuseConvTests.conv(b, b.x([1, 3, 4, 2]).upsampleNearest(height: 6, width: 8)) }
    )
    #expect(try graph.only(FusedConv.self).sources == [.init(padding: Padding(1), upsample: [6, 8])])
    #expect(graph.count("upsample_nearest") == 0)
  }

  @Test func keepsStrideAndPadding() throws {
    let padding = Padding(top: 0, left: 0, bottom: 1, right: 1)
    let graph = try apply(
      FuseConv(),
      to: makeGraph { b in
        try b.x([1, 6, 6, 2]).conv2d(b.parameter("w", [3, 2, 3, 3]), stride: 2, padding: padding)
      })
    #expect(try graph.only(FusedConv.self).sources == [.init(stride: 2, padding: padding)])
  }

  @Test func absorbsAResidualBehindAReshape() throws {
    let graph = try apply(
      FuseConv(),
      to: makeGraph { b in
        let x = try b.x([1, 2, 3, 4])
        return try x.reshaped([1, 6, 4]).linear(b.parameter("w", [4, 4])).reshaped(x.shape).adding(x)
      })
    #expect(try graph.only(FusedConv.self).epilogues == [.residual])
    #expect(graph.count("add") == 0)
  }

  /// A shortcut is one more source, also of an image that is no larger than its bias; behind a function it stays a residual.
  @Test(arguments: [4, 1]) func sumsProducts(side: Int) throws {
    for flipped in [false, true] {
      let graph = try apply(
        FuseConv(),
        to: makeGraph { b in
          let x = try b.x([1, side, side, 3])
          let (long, short) = (
            try FuseConvTests.conv(b, x.silu(), "2"), try x.conv2d(b.parameter("1", [4, 3, 1, 1]))
          )
          return try flipped ? long.adding(short) : short.adding(long)
        })
      let conv = try graph.only(FusedConv.self)
      #expect(Set(conv.sources) == [.init(padding: Padding(1)), .init()])
      #expect(conv.epilogues == [.bias] && graph.count("add") == 0)
    }
  }

  @Test func laterProductTakesTheOther() throws {
    for flipped in [false, true] {
      let graph = try apply(
        FuseConv(),
        to: makeGraph { b in
          let x = try b.x([1, 4, 4, 4])
          let (first, second) = (
            try FuseConvTests.conv(b, x, "1").silu(), try FuseConvTests.conv(b, x.silu(), "2")
          )
          return try flipped ? second.adding(first) : first.adding(second)
        })
      #expect(graph.count("fused_conv") == 2 && graph.count("add") == 0)
      let last = graph[try #require(graph.outputs.first).value.node]
      #expect((last.op as? FusedConv)?.epilogues == [.bias, .residual])
      #expect((graph[last.operands[1].node].op as? Parameter)?.name == "2.weight")
    }
  }

  @Test func declinesOtherUsers() throws {
    let graph = try apply(
      FuseConv(),
      to: makeGraph { b in
        let y = try b.x([3, 4]).linear(b.parameter("w", [4, 4]))
        return try y.silu().multiplied(by: y)
      })
    #expect(try graph.only(FusedConv.self).epilogues.isEmpty)
    #expect(graph.count("silu") == 1)
  }

  @Test func declinesOutputs() throws {
    let builder = GraphBuilder(name: "g")
    let y = try builder.x([3, 4]).linear(builder.parameter("w", [4, 4]))
    try builder.output("before", y)
    try builder.output("after", y.gelu())
    #expect(try apply(FuseConv(), to: builder.graph).count("gelu") == 1)
  }

  @Test func declinesWhatIsNoWeight() throws {
    try expectUnchanged(makeGraph { b in try b.x([3, 4]).linear(b.x([5, 4], "w")) }, by: FuseConv())
    try expectUnchanged(makeGraph { b in try b.x([3, 4]).matmul(b.parameter("w", [4, 5])) }, by: FuseConv())
    try expectUnchanged(
      makeGraph { b in try b.x([2, 3, 4]).matmul(b.parameter("w", [2, 5, 4]), transposeB: true) },
      by: FuseConv())
  }

  @Test func declinesSumsThatBroadcastTheProduct() throws {
    let graph = try apply(
      FuseConv(),
      to: makeGraph { b in
        try b.x([1, 4]).linear(b.parameter("w", [5, 4])).adding(b.x([3, 5], "r"))
      })
    #expect(graph.count("add") == 1)
  }
}
