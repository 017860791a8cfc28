public import GraphIR

/// Finds scaled dot-product attention in its plain form.
///
/// Heads are axis 1 of `[B, heads, rows, d]`, made from `[B, rows, heads, d]` by a transposition; the result goes
/// back by the same one. A single head may do without.
public struct FuseAttention: RewritingPass {
  /// `fuse-attention`.
  public let name = "fuse-attention"

  /// The pass; it has no settings.
  public init() {}

  /// softmax(q · kᵀ · s + mask) · v → attention(q, k, v), with and without heads.
  public var rules: [Rewrite] {
    [
      Rewrite(
        "merge(softmax(split(q) · split(k)ᵀ · s + mask) · split(v)) → attention(q, k, v)",
        .op(Transpose.self, [FuseAttention.core(FuseAttention.heads)], where: FuseAttention.swapsHeads)
      ) { m in
        let (q, k, v) = (try m["q"], try m["k"], try m["v"])
        let heads = q.shape[2]
        guard heads >= 1, k.shape[2] == heads, v.shape[2] == heads else { return nil }
        return try FuseAttention.attention(m, rows(q), rows(k), rows(v), heads: heads)?.reshaped(m.type.shape)
      },
      Rewrite(
        "softmax(q · kᵀ · s + mask) · v → attention(q, k, v), one head", FuseAttention.core { .any($0) }
      ) { m in
        guard m.type.rank == 3 else { return nil }
        return try FuseAttention.attention(m, m["q"], m["k"], m["v"], heads: 1)
      },
    ]
  }

  /// Scores, probabilities and what is done between them are not written, nor are heads that only they read.
  public func prediction(for graph: Graph) -> Work? {
    let inner = inner(of: graph)
    let isFused = graph.allReaders { reader, _, _ in inner.contains(reader) }
    return zip(graph.ids, graph.costs()).filter { id, _ in
      inner.contains(id) || (graph[id].op is Transpose && isFused[id.index])
    }.map(\.1.written).total
  }

  /// softmax(q · kᵀ [· s] [+ mask]) · v.
  private static func core(_ operand: (String) -> Pattern) -> Pattern {
    let products = Pattern.op(MatMul.self, [operand("q"), operand("k")]) { $0.transposeB }
    let scores = Pattern.oneOf([.op(Multiply.self, [products, .constant("scale")]), products])
    let mask = Pattern.op(CausalMask.self, [], as: "mask", shared: true)
    let masked = Pattern.oneOf([.op(Add.self, [scores, mask]), scores])
    return .op(MatMul.self, [.op(Softmax.self, [masked]), operand("v")]) { !$0.transposeB }
  }

  /// `[B, rows, heads, d]` as `[B, heads, rows, d]`.
  private static func heads(_ name: String) -> Pattern {
    .op(Transpose.self, [.any(name)], shared: true, where: swapsHeads)
  }

  @Sendable private static func swapsHeads(_ op: Transpose) -> Bool { op.permutation == [0, 2, 1, 3] }

  /// Attention over `[B, rows, heads · d]`; nil when the plain form broadcasts or masks otherwise.
  private static func attention(
    _ m: Match, _ q: Value, _ k: Value, _ v: Value, heads: Int
  ) throws(SDError) -> Value? {
    let operands = [q, k, v]
    guard operands.allSatisfy({ $0.type.rank == 3 && $0.shape[0] == q.shape[0] && $0.shape[2] % heads == 0 }),
      q.shape[2] == k.shape[2]
    else { return nil }
    let scale = try m.has("scale") ? m.op("scale", as: Constant.self) : nil
    guard scale.map({ $0.type.count == 1 }) ?? true else { return nil }
    let mask = try m.has("mask") ? m.op("mask", as: CausalMask.self) : nil
    guard mask.map({ $0.size == q.shape[1] && $0.size == k.shape[1] }) ?? true else { return nil }
    return try q.attention(k, v, heads: heads, scale: scale?.values[0] ?? 1, causal: mask != nil)
  }
}

/// `[B, rows, heads, d]` as `[B, rows, heads · d]`.
private func rows(_ x: Value) throws(SDError) -> Value {
  try x.reshaped([x.shape[0], x.shape[1], x.shape[2] * x.shape[3]])
}
