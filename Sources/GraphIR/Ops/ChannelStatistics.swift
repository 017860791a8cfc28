/// Mean and sum of squared deviations of every channel over parts of an image's pixels. Made by `FuseGroupNormSiLU`.
///
/// The pixels of each sample are cut into `parts` ranges of nearly equal size: part p holds pixels
/// `p · n / parts ..< (p + 1) · n / parts`. `Normalize` merges the parts in order, so the result does not depend on
/// who computed which part.
///
/// - x: `[B, ..., C]`, rank ≥ 2, floating-point. Result: float32 `[parts, B, C, 2]`, (mean, Σ(x − mean)²);
///   `parts` is in 1 … pixels and at most 65,536, pixels are below 2³¹ (C1).
/// - Reference: Chan, Golub & LeVeque 1983, doi:10.2307/2683386 (merging of partial variances).
public struct ChannelStatistics: CompositeOp {
  /// `sd.channel_statistics`.
  public static let id = OpID("channel_statistics")
  /// Number of ranges of pixels.
  public var parts: Int

  /// Statistics over that many ranges of pixels.
  public init(parts: Int) { self.parts = parts }

  /// The partial statistics' type.
  public func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    try expect(operands, count: 1)
    let x = try expectFloat(operands, 0, rank: 2...8)
    guard parts >= 1, parts <= ChannelStatistics.maximumParts(of: x) else {
      throw reject("parts (\(parts)) must be in 1 ... \(ChannelStatistics.maximumParts(of: x)) for \(x) (C1)")
    }
    return [TensorType(.f32, [parts, x.shape[0], x.lastDimension, 2])]
  }

  /// Pixels of one sample.
  package static func pixels(_ x: TensorType) -> Int { x.shape.dropFirst().dropLast().reduce(1, *) }

  /// The largest number of parts: a pixel each, and no more than 65,536; none for an image of 2³¹ pixels or more.
  package static func maximumParts(of x: TensorType) -> Int {
    pixels(x) < 1 << 31 ? min(max(1, pixels(x)), 65_536) : 0
  }

  /// The pixels of a part.
  package static func range(part: Int, of parts: Int, pixels: Int) -> Range<Int> {
    part * pixels / parts..<(part + 1) * pixels / parts
  }

  /// Means and squared deviations of slices.
  public func decompose(_ operands: [Value]) throws(SDError) -> [Value] {
    let (batch, channels) = (operands[0].shape[0], operands[0].type.lastDimension)
    let pixels = ChannelStatistics.pixels(operands[0].type)
    let x = try operands[0].reshaped([batch, pixels, channels])
    var results: [Value] = []
    for part in 0..<parts {
      let slice = try x.sliced(ChannelStatistics.range(part: part, of: parts, pixels: pixels), axis: 1)
      let mean = try slice.mean(axes: [1])
      let centered = try slice.subtracting(mean)
      let squares = try centered.multiplied(by: centered).sum(axes: [1])
      let shape = [1, batch, channels, 1]
      results.append(try x.builder.concat([mean.reshaped(shape), squares.reshaped(shape)], axis: 3))
    }
    return [try x.builder.concat(results, axis: 0)]
  }
}

extension Value {
  /// Per-channel (mean, Σ(x − mean)²) `[parts, B, C, 2]` over parts of this image's pixels.
  public func channelStatistics(parts: Int) throws(SDError) -> Value {
    try applying(ChannelStatistics(parts: parts))
  }
}
