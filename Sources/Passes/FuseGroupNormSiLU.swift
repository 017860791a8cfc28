public import GraphIR

/// Splits group normalization into statistics and their use, which takes the activation behind it in.
public struct FuseGroupNormSiLU: RewritingPass {
  /// `fuse-group-norm-silu`.
  public let name = "fuse-group-norm-silu"

  /// The pass; it has no settings.
  public init() {}

  /// groupNorm(x, γ, β) → normalize(x, channelStatistics(x), γ, β); silu(normalize(…)) → normalize(…, silu).
  public var rules: [Rewrite] {
    [
      Rewrite(
        "groupNorm(x, γ, β) → normalize(x, channelStatistics(x), γ, β)",
        .op(GroupNorm.self, ["x", "gamma", "beta"], as: "norm")
      ) { m in
        let (x, norm) = (try m["x"], try m.op("norm", as: GroupNorm.self))
        let statistics = try x.channelStatistics(parts: FuseGroupNormSiLU.parts(x.type))
        return try x.normalize(
          statistics, m["gamma"], m["beta"], groups: norm.groups, eps: norm.eps, activation: nil)
      },
      Rewrite(
        "silu(normalize(x, s, γ, β)) → normalize(x, s, γ, β, silu)",
        .op(SiLU.self, [.op(Normalize.self, as: "norm") { $0.activation == nil }])
      ) { m in
        var norm = try m.op("norm", as: Normalize.self)
        norm.activation = .silu
        return try m.replacing("norm", by: norm, m.operands("norm"))
      },
    ]
  }

  /// What an activation reads is not written; statistics are.
  public func prediction(for graph: Graph) -> Work? {
    let isActivated = graph.allReaders { reader, _, _ in graph[reader].op is SiLU }
    return zip(graph.ids, graph.costs()).filter { id, _ in graph[id].op is GroupNorm }.map { id, cost in
      let x = graph[id].types[0]
      let bytes = saturatingProduct(FuseGroupNormSiLU.parts(x), x.shape[0], x.lastDimension, 2 * DType.f32.size)
      return (isActivated[id.index] ? cost.written : Work()) - Work(bytes: bytes, ops: 1)
    }.total
  }

  /// Parts of the statistics: one for 256 pixels, at most 64; by shape alone, so that results do not depend on threads.
  ///
  /// In images they are rectangles where that comes near, of all columns or of 32: a convolution that computes its result
  /// in such strips can sum it up (`FuseStatistics`). There are more of them in large images, at most 256 of about 2,048
  /// pixels (1,024 of many channels), since strips have to stay in L2, and never so few that threads would have to wait.
  static func parts(_ x: TensorType) -> Int {
    let pixels = x.shape.dropFirst().dropLast().reduce(1, *)
    let plain = min(max(pixels / 256, 1), 64)
    let most = min(max(pixels / (x.lastDimension > 256 ? 1024 : 2048), 64), 256)
    guard x.rank == 4, 1...4096 ~= x.shape[1], x.shape[2] > 0 else { return plain }
    let (height, width) = (x.shape[1], x.shape[2])
    let band = width >= 64 && width % 32 == 0 ? 32 : width
    let parts = (1...height).lazy.filter { height % $0 == 0 && $0 * band >= min(256, pixels) }
      .map { width / band * (height / $0) }.first { $0 <= most }
    guard let parts, pixels / parts <= (parts < 32 ? 1024 : 3072) else { return plain }
    return parts
  }
}
