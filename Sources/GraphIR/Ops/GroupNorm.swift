/// Normalization of groups of channels to mean 0 and variance 1, then a scale and a shift per channel.
///
/// `y = (x − mean_g) / √(var_g + eps) · gamma + beta`, mean and (biased) variance over all pixels and the channels
/// of a group, for every sample.
///
/// - x: `[B, ..., C]`, rank ≥ 2; gamma, beta: `[C]` (C1); floating-point. Result: type of x. `groups` divides C (C2).
/// - Reference: Wu & He 2018, arXiv:1803.08494; `torch.nn.functional.group_norm`.
public struct GroupNorm: CompositeOp {
  /// `sd.group_norm`.
  public static let id = OpID("group_norm")
  /// Number of groups of neighbouring channels.
  public var groups: Int
  /// Added to the variance.
  public var eps: Float

  /// A group norm.
  public init(groups: Int, eps: Float = 1e-5) { (self.groups, self.eps) = (groups, eps) }

  /// The type of x.
  public func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    try expect(operands, count: 3)
    let x = try expectFloat(operands, 0, rank: 2...8)
    for index in 1...2 where try expectFloat(operands, index).shape != [x.lastDimension] {
      throw reject("operand \(index) must have shape [\(x.lastDimension)], it is \(operands[index]) (C1)")
    }
    guard groups >= 1, x.lastDimension % groups == 0 else {
      throw reject("groups (\(groups)) must divide channels (\(x.lastDimension)) (C2)")
    }
    return [x]
  }

  /// The formula over `[B, pixels, groups, C / groups]`.
  public func decompose(_ operands: [Value]) throws(SDError) -> [Value] {
    let x = operands[0]
    let (batch, channels) = (x.shape[0], x.type.lastDimension)
    let pixels = x.shape.dropFirst().dropLast().reduce(1, *)
    let grouped = try x.reshaped([batch, pixels, groups, channels / groups])
    let centered = try grouped.subtracting(grouped.mean(axes: [1, 3]))
    let variance = try centered.multiplied(by: centered).mean(axes: [1, 3])
    let scale = try variance.adding(x.builder.constant([], [eps])).rsqrt()
    let normal = try centered.multiplied(by: scale).reshaped(x.shape)
    return [try normal.multiplied(by: operands[1]).adding(operands[2])]
  }
}

extension Value {
  /// Groups of channels normalized to mean 0 and variance 1, scaled by gamma `[C]` and shifted by beta `[C]`.
  public func groupNorm(
    _ gamma: Value, _ beta: Value, groups: Int, eps: Float = 1e-5
  ) throws(SDError) -> Value {
    try applying(GroupNorm(groups: groups, eps: eps), gamma, beta)
  }
}
