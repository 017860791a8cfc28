import GraphIR
import GraphRuntime
import TestSupport
import Testing

@Suite struct NormalizationKernelTests {
  @Test(arguments: [1, 3, 7]) func channelStatistics(parts: Int) throws {
    var check = OpCheck(ChannelStatistics(parts: parts))
    try check.run { channels, dtype in [TensorType(dtype, [2, 5, 7, channels])] }
    try check.run(operands: [TensorType(.f32, [3, 64, 320])])
    // A mean far above the deviation must cost no digits.
    check.ranges[0] = 1000...1001
    check.dtypes = [.f32]
    try check.run { channels, dtype in [TensorType(dtype, [2, 5, 7, channels])] }
  }

  @Test func statisticsOfSinglePixels() throws {
    try OpCheck(ChannelStatistics(parts: 1)).run(operands: [TensorType(.f32, [2, 1, 1, 33])])
    try OpCheck(ChannelStatistics(parts: 35)).run(operands: [TensorType(.f32, [2, 5, 7, 33])])
  }

  @Test(arguments: [nil] + Activation.allCases, [1, 3]) func normalize(_ activation: Activation?, parts: Int)
    throws
  {
    for groups in [1, 4] {
      var check = OpCheck(Normalize(groups: groups, eps: 1e-5, activation: activation))
      check.ranges[1] = 0.1...2
      try check.run { size, dtype in
        normalizeOperands(TensorType(dtype, [2, 5, 7, groups * size]), parts: parts, weights: dtype)
      }
      try check.run { size, dtype in
        Array(
          normalizeOperands(TensorType(dtype, [2, 5, 7, groups * size]), parts: parts, weights: dtype).prefix(2))
      }
    }
  }

  /// Float32 weights with 16-bit activations, and more rows than one part has.
  @Test(arguments: [DType.f32, .f16, .bf16]) func normalizeLargeImage(_ dtype: DType) throws {
    var check = OpCheck(Normalize(groups: 32, eps: 1e-6, activation: .silu))
    check.ranges[1] = 0.1...2
    try check.run(operands: normalizeOperands(TensorType(dtype, [2, 40, 40, 96]), parts: 16, weights: .f32))
  }

  private func normalizeOperands(_ x: TensorType, parts: Int, weights: DType) -> [TensorType] {
    let channels = x.lastDimension
    return [
      x, TensorType(.f32, [parts, x.shape[0], channels, 2]), TensorType(weights, [channels]),
      TensorType(weights, [channels]),
    ]
  }

  @Test func layerNorm() throws {
    var check = OpCheck(LayerNorm(eps: 1e-5))
    try check.run { size, dtype in
      [TensorType(dtype, [2, 5, size])] + [TensorType(dtype, [size]), TensorType(dtype, [size])]
    }
    try check.run { size, dtype in [TensorType(dtype, [2, 5, size])] }
    for dtype in check.dtypes {
      try check.run(operands: [
        TensorType(dtype, [2, 77, 768]), TensorType(.f32, [768]), TensorType(.f32, [768]),
      ])
    }
    check.ranges[0] = 1000...1001
    check.tolerance[.f32] = 1e-8  // of the sum of deviations 3 of 7 digits are left in float32
    try check.run(operands: [TensorType(.f32, [5, 77]), TensorType(.f32, [77]), TensorType(.f32, [77])])
  }

  @Test func softmax() throws {
    var check = OpCheck(Softmax())
    check.ranges[0] = -10...10
    try check.run { size, dtype in [TensorType(dtype, [2, 5, size])] }
    for dtype in check.dtypes { try check.run(operands: [TensorType(dtype, [77, 1037])]) }
    check.ranges[0] = 9e4...1e5
    try check.run(operands: [TensorType(.f32, [5, 77])])
  }
}
