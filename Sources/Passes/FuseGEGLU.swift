public import GraphIR

/// Lets a linear layer apply the gate to its own halves, so that the tensor before the gate never exists.
public struct FuseGEGLU: RewritingPass {
  /// `fuse-geglu`.
  public let name = "fuse-geglu"

  /// The pass; it has no settings.
  public init() {}

  /// h[..., :n] · f(h[..., n:]) → h with gate(f), where h = fusedConv(…).
  public var rules: [Rewrite] {
    [gate(GELU.self, .gelu), gate(SiLU.self, .silu), gate(QuickGELU.self, .quickGELU)]
  }

  /// The tensor before the gate and the activated half of it are not written.
  public func prediction(for graph: Graph) -> Work? {
    let costs = graph.costs()
    return inner(of: graph).map { costs[$0.index].written }.total
  }

  private func gate<O: Op>(_ op: O.Type, _ activation: Activation) -> Rewrite {
    func half(_ name: String) -> Pattern { .op(Slice.self, [.op(FusedConv.self, as: "conv")], as: name) }
    let f = activation.rawValue
    return Rewrite(
      "h[..., :n] · \(f)(h[..., n:]) → gate(\(f)) of h",
      .op(Multiply.self, [half("first"), .op(op, [half("second")])])
    ) { m in
      let (first, second) = (try m.op("first", as: Slice.self), try m.op("second", as: Slice.self))
      let (axis, n) = (m.type.rank - 1, m.type.lastDimension)
      guard first.axis == axis, second.axis == axis, first.start == 0, first.end == n, second.start == n,
        try m["conv"].type.lastDimension == 2 * n
      else { return nil }
      return try m.appending(.gate(activation))
    }
  }
}
