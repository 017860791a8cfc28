public import GraphIR

/// Makes one op of a gated linear layer and the linear layer behind it, so that the wide tensor between them need not
/// exist as a whole. Where a device has no kernel for the two, lowering takes them apart again.
public struct FuseFeedForward: RewritingPass {
  /// `fuse-feed-forward`.
  public let name = "fuse-feed-forward"

  /// The pass; it has no settings.
  public init() {}

  /// fusedConv([fusedConv(…, gate) · w], …) → feedForward(fusedConv(…, gate), fusedConv([· w], …)).
  public var rules: [Rewrite] {
    // The weight, then a bias, then a residual.
    (1...3).map { count in
      let others = ["w", "b", "r"].prefix(count).map { Pattern.any($0) }
      return Rewrite(
        "w · gate(v · x) + … → feedForward(x, v, …, w, …)",
        .op(FusedConv.self, [.op(FusedConv.self, as: "hidden") { $0.isGatedLayer }] + others, as: "output") {
          $0.sources == [FusedConv.Source()]
        }
      ) { m in
        let (hidden, output) = (try m.operands("hidden"), try m.operands("output"))
        // A layer that is computed once a prompt is not to be computed at every step.
        guard hidden[1].type.rank == 2, output[1].type.rank == 2, try m.rate("hidden") == m.rate("output") else {
          return nil
        }
        let both = FusedFeedForward(
          hidden: try m.op("hidden", as: FusedConv.self), output: try m.op("output", as: FusedConv.self))
        return try m.replacing("output", by: both, hidden + output.dropFirst())
      }
    }
  }

  /// The gated tensor is not written.
  public func prediction(for graph: Graph) -> Work? {
    let costs = graph.costs()
    return inner(of: graph).map { costs[$0.index].written }.total
  }
}

extension FusedConv {
  /// Whether it is one matrix product with a gate behind it.
  fileprivate var isGatedLayer: Bool {
    sources == [Source()] && hasGate
  }
}
