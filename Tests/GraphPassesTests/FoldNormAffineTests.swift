import GraphIR
import GraphPasses
import Testing

@Suite struct FoldNormAffineTests {
  private func layerNorm(_ b: GraphBuilder, _ x: Value) throws -> Value {
    let width = x.type.lastDimension
    return try x.layerNorm(b.parameter("scale", [width]), b.parameter("shift", [width]))
  }

  private func groupNorm(_ b: GraphBuilder, _ x: Value) throws -> Value {
    let width = x.type.lastDimension
    return try x.groupNorm(b.parameter("gamma", [width]), b.parameter("beta", [width]), groups: 2)
  }

  /// The graph of products in their fused form, before the pass.
  private func fused(_ body: (GraphBuilder) throws -> Value) throws -> Graph {
    try apply(FuseGroupNormSiLU(), FuseConv(), SplitConcat(), to: makeGraph("g", body))
  }

  /// How many operands the normalizations have: without γ and β one, with statistics two.
  private func operands(_ graph: Graph) -> [Int] {
    graph.nodes.filter { $0.op is LayerNorm || $0.op is Normalize }.map(\.operands.count)
  }

  @Test(arguments: [false, true]) func foldsIntoALinearLayer(hasBias: Bool) throws {
    let graph = try apply(
      FoldNormAffine(),
      to: fused { b in
        let normal = try layerNorm(b, b.x([2, 3, 4]))
        return try normal.linear(b.parameter("w", [5, 4]), hasBias ? b.parameter("b", [5]) : nil).silu()
      })
    #expect(operands(graph) == [1])
    #expect(try graph.only(FusedConv.self).epilogues == [.bias, .activation(.silu)])
  }

  @Test func foldsIntoAllReaders() throws {
    let graph = try apply(
      FoldNormAffine(),
      to: fused { b in
        let normal = try layerNorm(b, b.x([2, 3, 4]))
        let q = try normal.linear(b.parameter("q", [4, 4]))
        let k = try normal.reshaped([2, 1, 3, 4]).conv2d(b.parameter("k", [4, 4, 1, 1]), b.parameter("b", [4]))
        return try q.silu().adding(k.reshaped([2, 3, 4]).gelu())
      })
    #expect(operands(graph) == [1])
    #expect(graph.nodes.compactMap { $0.op as? FusedConv }.allSatisfy { $0.epilogues.first == .bias })
  }

  @Test func foldsGroupsOfPixels() throws {
    let graph = try apply(
      FoldNormAffine(),
      to: fused { b in
        let normal = try groupNorm(b, b.x([2, 3, 3, 4]))
        let conv = try normal.conv2d(b.parameter("w", [5, 4, 1, 1]), b.parameter("b", [5]))
        return try conv.reshaped([2, 9, 5]).adding(normal.reshaped([2, 9, 4]).linear(b.parameter("v", [5, 4])))
      })
    #expect(operands(graph) == [2])
  }

  /// Each source of a sum has a normalization, or a part of one, of its own.
  @Test func foldsEverySource() throws {
    let graph = try apply(
      FoldNormAffine(),
      to: fused { b in
        let x = try b.concat([b.x([2, 3, 3, 4]), b.x([2, 3, 3, 2], "skip")], axis: 3)
        return try groupNorm(b, x).conv2d(b.parameter("w", [5, 6, 1, 1]), b.parameter("b", [5]))
          .adding(layerNorm(b, b.x([2, 3, 3, 3], "other")).conv2d(b.parameter("v", [5, 3, 1, 1])))
      })
    #expect(operands(graph).sorted() == [1, 2, 2])
    #expect(try graph.only(FusedConv.self).epilogues == [.bias])
  }

  @Test func equalNormalizationsBecomeOne() throws {
    let graph = try apply(
      FoldNormAffine(),
      to: fused { b in
        let x = try b.x([3, 4])
        let other = try x.layerNorm(b.parameter("g", [4]), b.parameter("h", [4]))
        return try layerNorm(b, x).linear(b.parameter("w", [5, 4])).silu()
          .adding(other.linear(b.parameter("v", [5, 4])))
      })
    #expect(operands(graph) == [1])
  }

  @Test func declines() throws {
    let bodies: [(GraphBuilder) throws -> Value] = [
      // Read by an activation, by a sum, or as the residual of its own product; an output; no scale and shift.
      { b in try groupNorm(b, b.x([1, 3, 3, 4])).silu().conv2d(b.parameter("w", [5, 4, 1, 1])) },
      { b in
        let normal = try layerNorm(b, b.x([3, 4]))
        return try normal.linear(b.parameter("w", [4, 4])).adding(normal)
      },
      { b in
        let normal = try layerNorm(b, b.x([3, 4]))
        return try normal.linear(b.parameter("w", [5, 4])).silu().linear(b.parameter("v", [4, 5])).multiplied(
          by: normal)
      },
      { b in try layerNorm(b, b.x([3, 4])) },
      { b in try b.x([3, 4]).layerNorm().linear(b.parameter("w", [5, 4])) },
      // A window, or a border without the shift.
      { b in try groupNorm(b, b.x([1, 3, 3, 4])).conv2d(b.parameter("w", [5, 4, 3, 3])) },
      { b in try groupNorm(b, b.x([1, 3, 3, 4])).conv2d(b.parameter("w", [5, 4, 1, 1]), padding: Padding(1)) },
      // Columns that are no columns behind the reshape.
      { b in try layerNorm(b, b.x([6, 4])).reshaped([3, 8]).linear(b.parameter("w", [5, 8])) },
      // A weight, a scale or a shift that changes.
      { b in try layerNorm(b, b.x([3, 4])).linear(b.x([5, 4], "w")) },
      { b in try b.x([3, 4]).layerNorm(b.x([4], "g"), b.parameter("h", [4])).linear(b.parameter("w", [5, 4])) },
      { b in try b.x([3, 4]).layerNorm(b.parameter("g", [4]), b.x([4], "h")).linear(b.parameter("w", [5, 4])) },
    ]
    for body in bodies { try expectUnchanged(fused(body), by: FoldNormAffine()) }
  }

  /// A convolution from outside may have weights that change.
  @Test func keepsWeightsThatChange() throws {
    try expectUnchanged(
      makeGraph { b in
        try b.add(FusedConv(sources: [.init()]), [layerNorm(b, b.x([3, 4])), b.x([5, 4], "w")])
      }, by: FoldNormAffine())
  }
}
