public import GraphIR

/// Takes a 3×3 convolution behind a doubling by nearest pixels apart into its four phases.
///
/// Neighbouring pixels of the doubled image are the same, so that a line of the kernel's window falls on two different
/// lines only, and in the other direction alike: each parity of line and column is a convolution of the small
/// image with 2×2 sums of weights. That is 4/9 of the work, and the doubled image never exists.
public struct PhaseConv: RewritingPass {
  /// `phase-conv`.
  public let name = "phase-conv"

  /// The pass; it has no settings.
  public init() {}

  /// conv(double(x), w) → interleave(conv(x, w₀₀), conv(x, w₀₁), conv(x, w₁₀), conv(x, w₁₁)).
  public var rules: [Rewrite] {
    [
      Rewrite(
        "fusedConv([double(x) · w]) → fusedConv([phases of x · sums of w])",
        .op(FusedConv.self, as: "conv") { conv in
          conv.sources.count == 1 && conv.sources[0].upsample != nil && !conv.epilogues.contains(.residual)
        }
      ) { m in
        var conv = try m.op("conv", as: FusedConv.self)
        var operands = try m.operands("conv")
        let (x, w) = (operands[0], operands[1])
        let doubled = FusedConv.Source(padding: Padding(1), upsample: [2 * x.shape[1], 2 * x.shape[2]])
        guard conv.sources == [doubled], Array(w.shape[2...]) == [3, 3] else { return nil }
        conv.sources = [FusedConv.Source(phases: true)]
        operands[1] = try PhaseConv.phases(of: w)
        return try m.replacing("conv", by: conv, operands)
      }
    ]
  }

  /// 4 of 9 products of weights and pixels remain.
  public func prediction(for graph: Graph) -> Work? {
    let costs = graph.costs()
    return Rewriter(rules).applications(in: graph).map { Work(flops: costs[$0.root.index].flops / 9 * 5) }.total
  }

  /// The kernels `[O, C, 2, 2]` of the four phases, one below the other, of w `[O, C, 3, 3]`.
  private static func phases(of w: Value) throws(SDError) -> Value {
    let sums = try folded(folded(w, axis: 2), axis: 3)
    var kernels: [Value] = []
    for i in 0..<2 {
      for j in 0..<2 {
        kernels.append(try sums.sliced(2 * i..<2 * i + 2, axis: 2).sliced(2 * j..<2 * j + 2, axis: 3))
      }
    }
    return try w.builder.concat(kernels, axis: 2)
  }

  /// Lines a, b, c of a kernel become a, b + c for the even lines of the result and a + b, c for the odd ones.
  private static func folded(_ w: Value, axis: Int) throws(SDError) -> Value {
    let a = try w.sliced(0..<1, axis: axis)
    let b = try w.sliced(1..<2, axis: axis)
    let c = try w.sliced(2..<3, axis: axis)
    return try w.builder.concat([a, b.adding(c), a.adding(b), c], axis: axis)
  }
}
