/// Normalization of every row to mean 0 and variance 1, then a scale and a shift per column, or neither.
///
/// `y = (x − mean) / √(var + eps) · gamma + beta`, mean and (biased) variance over the last dimension.
///
/// - x: `[..., C]`; gamma, beta: `[C]`, both or neither (C1); floating-point. Result: type of x.
/// - Reference: Ba et al. 2016, arXiv:1607.06450; `torch.nn.functional.layer_norm`.
public struct LayerNorm: CompositeOp {
  /// `sd.layer_norm`.
  public static let id = OpID("layer_norm")
  /// Added to the variance.
  public var eps: Float

  /// A layer norm.
  public init(eps: Float = 1e-5) { self.eps = eps }

  /// The type of x.
  public func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    try expect(operands, count: operands.count == 1 ? 1 : 3)
    let x = try expectFloat(operands, 0, rank: 1...8)
    for index in operands.indices.dropFirst() where try expectFloat(operands, index).shape != [x.lastDimension] {
      throw reject("operand \(index) must have shape [\(x.lastDimension)], it is \(operands[index]) (C1)")
    }
    return [x]
  }

  /// The formula.
  public func decompose(_ operands: [Value]) throws(SDError) -> [Value] {
    let x = operands[0]
    let last = [x.type.rank - 1]
    let centered = try x.subtracting(x.mean(axes: last))
    let variance = try centered.multiplied(by: centered).mean(axes: last)
    let scale = try variance.adding(x.builder.constant([], [eps])).rsqrt()
    let normal = try centered.multiplied(by: scale)
    return [try operands.count == 1 ? normal : normal.multiplied(by: operands[1]).adding(operands[2])]
  }
}

extension Value {
  /// Rows normalized to mean 0 and variance 1, scaled by gamma `[C]` and shifted by beta `[C]` where these are given.
  public func layerNorm(
    _ gamma: Value? = nil, _ beta: Value? = nil, eps: Float = 1e-5
  ) throws(SDError) -> Value {
    try builder.add(LayerNorm(eps: eps), [self] + [gamma, beta].compactMap(\.self))
  }
}
