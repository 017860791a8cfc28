/// A fused convolution and the statistics of its result, in one op: who computes values can sum them up while he has
/// them. Made by `FuseStatistics`.
///
/// - Operands: those of `conv`, which has no gate (C1).
/// - Results: that of `conv`, `[B, ..., O]`; and what `ChannelStatistics` gives of it, float32 `[parts, B, O, 2]`, where
///   `parts` divides the number of pixels and has at most 4,096 of them (C2). Which pixels are a part is left to the
///   kernel, and so is whether the values are summed up before or behind their rounding: `Normalize` merges the parts.
public struct FusedConvStatistics: FusedOp {
  /// `sd.fused_conv_statistics`.
  public static let id = OpID("fused_conv_statistics")
  /// What is computed.
  public var conv: FusedConv
  /// Number of equal parts of every sample's pixels.
  public var parts: Int

  /// A convolution, and statistics over that many parts of its result.
  public init(conv: FusedConv, parts: Int) { (self.conv, self.parts) = (conv, parts) }

  /// The types of both results.
  public func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    guard !conv.hasGate else { throw reject("the statistics of a convolution with a gate are not its own (C1)") }
    let result = try conv.types(of: operands)[0]
    let statistics = try ChannelStatistics(parts: parts).types(of: [result])[0]
    let pixels = ChannelStatistics.pixels(result)
    guard pixels % parts == 0, pixels / parts <= 4096 else {
      throw reject("parts (\(parts)) must divide the pixels of \(result), into at most 4096 each (C2)")
    }
    return [result, statistics]
  }

  /// The convolution, then the statistics of contiguous parts.
  public func decompose(_ operands: [Value]) throws(SDError) -> [Value] {
    let result = try operands[0].builder.add(conv, operands)
    return [result, try result.channelStatistics(parts: parts)]
  }

  /// Takes the normalizations off where statistics have a kernel then, or else the statistics where normalizations have
  /// one. Whether a kernel normalizes may depend on how it is cut, and so on threads; whether statistics are those of
  /// values before they are rounded must not.
  package func split(_ operands: [Value], hasKernel: (any Op, [Value]) -> Bool) throws(SDError) -> [Value]? {
    var plain = self
    plain.conv.sources = conv.sources.map(\.plain)
    // Normalized images have the types of the images.
    let images = operands[..<(2 * conv.sources.count)] + operands[conv.epilogueOperands...]
    guard plain != self, hasKernel(plain, Array(images)) || !hasKernel(conv, operands),
      let (_, operands) = try conv.withoutNormalizations(operands)
    else { return try decompose(operands) }
    return try operands[0].builder.results(of: plain, operands)
  }

  /// Those of the convolution.
  public func flops(operands: [TensorType], results: [TensorType]) -> Int {
    conv.flops(operands: operands, results: results)
  }
}
