/// Sinusoids of a timestep: cosines and sines of t · 10000^(−i / (half − shift)), i = 0 … half − 1.
///
/// - t: `[R]`, floating-point. Result: `[R, dimension]`, type of t; `dimension` is even, at most 65,536 (C1).
/// - Reference: Ho et al. 2020, arXiv:2006.11239; `diffusers.models.embeddings.get_timestep_embedding`.
public struct TimestepEmbedding: CompositeOp {
  /// `sd.timestep_embedding`.
  public static let id = OpID("timestep_embedding")
  /// Columns of the result.
  public var dimension: Int
  /// Whether the cosines come first.
  public var flipSinToCos: Bool
  /// Taken off the number of frequencies in the exponent.
  public var shift: Float

  /// An embedding.
  public init(dimension: Int, flipSinToCos: Bool = true, shift: Float = 0) {
    (self.dimension, self.flipSinToCos, self.shift) = (dimension, flipSinToCos, shift)
  }

  /// One row a timestep.
  public func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    try expect(operands, count: 1)
    let t = try expectFloat(operands, 0, rank: 1...1)
    guard (2...65_536).contains(dimension), dimension % 2 == 0, Float(dimension / 2) > shift else {
      throw reject(
        "dimension (\(dimension)) must be even, at most 65536, and its half above shift (\(shift)) (C1)")
    }
    return [t.with(shape: [t.shape[0], dimension])]
  }

  /// Angles as an outer product, their cosines and sines side by side.
  public func decompose(_ operands: [Value]) throws(SDError) -> [Value] {
    let t = operands[0]
    let half = dimension / 2
    let exponents = (0..<half).map { -Math.log(10000) * Float($0) / (Float(half) - shift) }
    let frequencies = try t.builder.constant([half], exponents).exp()
    let angles = try t.reshaped([t.shape[0], 1]).multiplied(by: frequencies)
    let (sine, cosine) = (try angles.sine(), try angles.cosine())
    return [try t.builder.concat(flipSinToCos ? [cosine, sine] : [sine, cosine], axis: 1)]
  }

  /// True.
  public var isRowwise: Bool { true }
}

extension Value {
  /// Sinusoids `[R, dimension]` of these timesteps `[R]`.
  public func timestepEmbedding(
    _ dimension: Int, flipSinToCos: Bool = true, shift: Float = 0
  ) throws(SDError) -> Value {
    try applying(TimestepEmbedding(dimension: dimension, flipSinToCos: flipSinToCos, shift: shift))
  }
}
