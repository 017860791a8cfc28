public import GraphIR

/// Makes one `FusedConv` of a convolution or a linear layer and what is done with its result; of a sum of two, a
/// shortcut's, too.
///
/// Sums with more than one candidate prefer the product that is defined later; a result with another user stays.
public struct FuseConv: Pass {
  /// `fuse-conv`.
  public let name = "fuse-conv"

  /// The pass; it has no settings.
  public init() {}

  /// Products and their biases first: only then is it known which of two summands is the later product.
  public func run(_ graph: Graph, _ context: inout PassContext) throws(SDError) -> Graph {
    let products = try Rewriter(FuseConv.products).run(graph, &context)
    return try Rewriter(FuseConv.epilogues).run(products, &context)
  }

  /// What a product, its sums and its activation pass on to each other is not written, nor is an image that a convolution
  /// resizes.
  public func prediction(for graph: Graph) -> Work? {
    let (uses, rates, costs) = (graph.useCounts(), graph.rates(), graph.costs())
    var fused: Set<NodeID> = []
    // Products that can be summands of another one: so far nothing but vectors was added to them.
    var sums: Set<NodeID> = []
    var saved = Work()
    /// The product that a value is, behind a reshape at most, when nothing else reads it.
    func product(_ value: ValueID) -> NodeID? {
      guard uses[value.node.index] == 1 else { return nil }
      if fused.contains(value.node) { return value.node }
      guard graph[value.node].op is Reshape else { return nil }
      let inner = graph[value.node].operands[0].node
      return fused.contains(inner) && uses[inner.index] == 1 ? inner : nil
    }
    for id in graph.ids where rates[id.index] > .constant {
      let node = graph[id]
      switch node.op {
      case is Conv2D, is MatMul:
        let w = node.operands[1]
        guard rates[w.node.index] == .constant else { continue }
        if let matmul = node.op as? MatMul { guard matmul.transposeB, graph.type(of: w).rank == 2 else { continue } }
        let x = node.operands[0].node
        if node.op is Conv2D, graph[x].op is UpsampleNearest, uses[x.index] == 1 {
          saved = saved + costs[x.index].written
        }
        fused.insert(id)
        sums.insert(id)
      case is Add:
        let products = node.operands.compactMap(product).sorted()
        guard let last = products.last, graph.type(of: ValueID(last)).count == node.types[0].count else { continue }
        let isSum = products.count == 2 && node.operands.allSatisfy { sums.contains($0.node) }
        for absorbed in isSum ? products : [last] { saved = saved + costs[absorbed.index].written }
        fused.insert(id)
        // Bias or row; an image of one pixel is no longer than its bias.
        let isVector = node.operands.contains {
          graph.type(of: $0).rank == 1 || graph.type(of: $0).count < node.types[0].count
        }
        if isSum || (isVector && sums.contains(last)) { sums.insert(id) }
      case is SiLU, is GELU, is QuickGELU:
        guard fused.contains(node.operands[0].node), let absorbed = product(node.operands[0]) else { continue }
        saved = saved + costs[absorbed.index].written
        fused.insert(id)
      default: continue
      }
    }
    return saved
  }

  /// Σ w·x (+ b) → fusedConv([x·w], [bias]).
  static let products = [
    Rewrite(
      "conv2d(upsample(x), w) → fusedConv([upsample x · w])",
      .op(Conv2D.self, [.op(UpsampleNearest.self, ["x"], as: "up"), .weight("w")], as: "conv")
    ) { m in
      let (up, conv) = (try m.op("up", as: UpsampleNearest.self), try m.op("conv", as: Conv2D.self))
      return try m.product(
        FusedConv.Source(stride: conv.stride, padding: conv.padding, upsample: [up.height, up.width]))
    },
    Rewrite(
      "conv2d(x, w) → fusedConv([x · w])", .op(Conv2D.self, ["x", .weight("w")], as: "conv")
    ) { m in
      let conv = try m.op("conv", as: Conv2D.self)
      return try m.product(FusedConv.Source(stride: conv.stride, padding: conv.padding))
    },
    Rewrite(
      "x · wᵀ → fusedConv([x · w])", .op(MatMul.self, ["x", .weight("w")]) { $0.transposeB }
    ) { m in
      try m["w"].type.rank == 2 ? m.product(FusedConv.Source()) : nil
    },
    Rewrite(
      "fusedConv(…) + b → fusedConv(…, bias)", .op(Add.self, [.op(FusedConv.self, as: "conv"), .weight("b")])
    ) { m in
      let bias = try m["b"]
      return try bias.shape == [m.type.lastDimension] ? m.appending(.bias, bias) : nil
    },
  ]

  /// e(fusedConv(…)) → fusedConv(…, e).
  static let epilogues = [
    Rewrite(
      "fusedConv(a, …) + fusedConv(b, …) → fusedConv(a + b, …, …)",
      .op(Add.self, [.op(FusedConv.self, as: "conv"), .op(FusedConv.self, as: "other")])
    ) { m in
      var sum = try m.op("conv", as: FusedConv.self)
      let other = try m.op("other", as: FusedConv.self)
      // Behind a function or a gate a sum is no longer a sum of products.
      let additive = (sum.epilogues + other.epilogues).allSatisfy { $0 == .bias || $0 == .row }
      let (own, more) = (try m.operands("conv"), try m.operands("other"))
      guard additive, own[1].type.rank == more[1].type.rank else { return nil }
      let (count, otherCount) = (2 * sum.sources.count, 2 * other.sources.count)
      sum.sources += other.sources
      sum.epilogues += other.epilogues
      let factors = Array(own[..<count] + more[..<otherCount])
      return try m.replacing("conv", by: sum, factors + Array(own[count...] + more[otherCount...]))
    },
    Rewrite(
      "fusedConv(…) + r, a vector a sample → fusedConv(…, row)",
      .op(Add.self, [.op(FusedConv.self, as: "conv"), "r"])
    ) { m in
      let row = try m["r"]
      guard row.type.rank >= 2, row.type.rank == m.type.rank, row.type.lastDimension == m.type.lastDimension,
        row.shape.dropFirst().dropLast().allSatisfy({ $0 == 1 }), row.shape != m.type.shape
      else { return nil }
      return try m.appending(.row, row.reshaped([row.shape[0], row.type.lastDimension]))
    },
    Rewrite(
      "fusedConv(…) + r of the same shape → fusedConv(…, residual)",
      .op(Add.self, [.op(FusedConv.self, as: "conv"), "r"])
    ) { m in
      let residual = try m["r"]
      return try residual.shape == m.type.shape ? m.appending(.residual, residual) : nil
    },
    Rewrite(
      "reshape(fusedConv(…)) + r → reshape(fusedConv(…, residual))",
      .op(Add.self, [.op(Reshape.self, [.op(FusedConv.self, as: "conv")]), "r"])
    ) { m in
      let (conv, residual) = (try m["conv"], try m["r"])
      guard residual.shape == m.type.shape, conv.type.dtype == m.type.dtype else { return nil }
      let sum = try m.appending(.residual, residual.reshaped(conv.shape), type: conv.type)
      return try sum?.reshaped(m.type.shape)
    },
    activation("silu(fusedConv(…)) → fusedConv(…, silu)", SiLU.self, .silu),
    activation("gelu(fusedConv(…)) → fusedConv(…, gelu)", GELU.self, .gelu),
    activation("quickGELU(fusedConv(…)) → fusedConv(…, quickGELU)", QuickGELU.self, .quickGELU),
  ]

  private static func activation<O: Op>(_ name: String, _ op: O.Type, _ activation: Activation) -> Rewrite {
    Rewrite(name, .op(op, [.op(FusedConv.self, as: "conv")])) { m in try m.appending(.activation(activation))
    }
  }
}

extension Match {
  /// The product of the captured x and w.
  fileprivate func product(_ source: FusedConv.Source) throws(SDError) -> Value {
    try builder.add(FusedConv(sources: [source], dtype: type.dtype), [self["x"], self["w"]])
  }

  /// The captured conv with one more epilogue; nil when that does not give the wanted type, the root's.
  func appending(
    _ epilogue: FusedConv.Epilogue, _ operand: Value? = nil, type wanted: TensorType? = nil
  ) throws(SDError) -> Value? {
    var conv = try op("conv", as: FusedConv.self)
    conv.epilogues.append(epilogue)
    let operands = try operands("conv") + [operand].compactMap(\.self)
    guard let types = try? conv.types(of: operands.map(\.type)), types == [wanted ?? type] else { return nil }
    return try replacing("conv", by: conv, operands)
  }
}
