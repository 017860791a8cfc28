/// Group normalization from statistics that are already there, then an activation. Made by `FuseGroupNormSiLU`.
///
/// `y = act((x − mean_g) / √(var_g + eps) · gamma + beta)`; mean and variance of a group follow from the partial
/// statistics of its channels.
///
/// - x: `[B, ..., C]`, channels `first ..< first + C` of an image with N channels; statistics of the whole image:
///   float32 `[parts, B, N, 2]` as `ChannelStatistics` makes them (C1); gamma, beta: `[C]`, both or neither (C2).
///   `groups` divides N (C3). Result: type of x.
public struct Normalize: CompositeOp {
  /// `sd.normalize`.
  public static let id = OpID("normalize")
  /// Number of groups of neighbouring channels.
  public var groups: Int
  /// Added to the variance.
  public var eps: Float
  /// Applied last.
  public var activation: Activation?
  /// The channel of the whole image that is channel 0 of x.
  public var first: Int

  /// A group norm from statistics, then an activation.
  public init(groups: Int, eps: Float, activation: Activation? = nil, first: Int = 0) {
    (self.groups, self.eps, self.activation, self.first) = (groups, eps, activation, first)
  }

  /// The type of x.
  public func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    try expect(operands, count: operands.count == 2 ? 2 : 4)
    let x = try expectFloat(operands, 0, rank: 2...8)
    let statistics = operands[1]
    guard statistics.dtype == .f32, statistics.rank == 4, statistics.shape[0] >= 1,
      statistics.shape[0] <= ChannelStatistics.maximumParts(of: x),
      statistics.shape[1] == x.shape[0], statistics.shape[3] == 2, first >= 0,
      first <= statistics.shape[2] - x.lastDimension
    else { throw reject("statistics \(statistics) do not belong to \(x) (C1)") }
    for index in operands.indices.dropFirst(2) where try expectFloat(operands, index).shape != [x.lastDimension] {
      throw reject("operand \(index) must have shape [\(x.lastDimension)], it is \(operands[index]) (C2)")
    }
    guard groups >= 1, statistics.shape[2] % groups == 0 else {
      throw reject("groups (\(groups)) must divide channels (\(statistics.shape[2])) (C3)")
    }
    return [x]
  }

  /// Merges parts and channels of a group: `mean = Σ nᵢ mᵢ / n`, `n · var = Σ (Sᵢ + nᵢ (mᵢ − mean)²)`.
  public func decompose(_ operands: [Value]) throws(SDError) -> [Value] {
    let (x, statistics) = (operands[0], operands[1])
    let builder = x.builder
    let (parts, batch, channels) = (statistics.shape[0], x.shape[0], statistics.shape[2])
    let pixels = ChannelStatistics.pixels(x.type)
    let width = channels / groups
    let grouped = try statistics.reshaped([parts, batch, groups, width, 2])
    let shape = [parts, batch, groups, width]
    let means = try grouped.sliced(0..<1).reshaped(shape)
    let squares = try grouped.sliced(1..<2).reshaped(shape)
    let counts = try builder.constant(
      [parts, 1, 1, 1],
      (0..<parts).map { (part: Int) -> Float in
        Float(ChannelStatistics.range(part: part, of: parts, pixels: pixels).count)
      })
    let total = try builder.constant([], [Float(pixels * width)])
    let mean = try means.multiplied(by: counts).sum(axes: [0, 3]).divided(by: total)
    let deviation = try means.subtracting(mean)
    let variance = try squares.adding(deviation.multiplied(by: deviation).multiplied(by: counts))
      .sum(axes: [0, 3]).divided(by: total)
    let scale = try variance.adding(builder.constant([], [eps])).rsqrt()
    // Every channel of x gets the mean and scale of its group.
    let spread = { (group: Value) throws(SDError) -> Value in
      let zeros = try builder.constant([1, 1, width], [Float](repeating: 0, count: width))
      let all = try group.reshaped([batch, groups, 1]).adding(zeros).reshaped([batch, 1, channels])
      return try all.sliced(first..<first + x.type.lastDimension)
    }
    let flat = try x.reshaped([batch, pixels, x.type.lastDimension])
    let normal = try flat.subtracting(spread(mean)).multiplied(by: spread(scale)).reshaped(x.shape)
    let affine = try operands.count == 2 ? normal : normal.multiplied(by: operands[2]).adding(operands[3])
    return [try affine.activated(activation)]
  }
}

extension Value {
  /// Group normalization of this image from its channel statistics, then an activation.
  public func normalize(
    _ statistics: Value, _ gamma: Value, _ beta: Value, groups: Int, eps: Float, activation: Activation?
  ) throws(SDError) -> Value {
    try applying(Normalize(groups: groups, eps: eps, activation: activation), statistics, gamma, beta)
  }
}
