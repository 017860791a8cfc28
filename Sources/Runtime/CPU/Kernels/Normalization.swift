import CKernels
public import GraphIR

extension ChannelStatistics: CPULowerable {
  /// Shifted sums over ranges of pixels.
  public func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel? {
    CKernel<ck_channel_statistics>(
      name: "channel_statistics", function: { $0.channel_statistics },
      parts: { ck_channel_statistics_parts($0) }
    ).kernel(node, on: cpu) { tensors in
      let x = tensors.operands[0]
      var arguments = ck_channel_statistics()
      (arguments.x, arguments.dtype, arguments.pitch) = (UnsafeRawPointer(x.base), x.type.dtype.ck, x.pitch)
      arguments.statistics = tensors.results[0].base.assumingMemoryBound(to: Float.self)
      arguments.samples = x.type.shape[0]
      arguments.rows = ChannelStatistics.pixels(x.type)
      arguments.channels = x.columns
      arguments.statistics_parts = parts
      return arguments
    }
  }
}

extension Normalize: CPULowerable {
  /// One pass: scale, shift and activation per channel.
  public func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel? {
    guard node.isFloat else { return nil }
    return CKernel<ck_normalize>(
      name: "normalize", function: { $0.normalize }, parts: { ck_normalize_parts($0) },
      scratch: { ck_normalize_scratch($0) }
    ).kernel(node, on: cpu, denseOperands: [1], inPlaceOperands: [0]) { tensors in
      let y = tensors.results[0]
      var arguments = ck_normalize(self, tensors.operands[0], tensors.operands[1...])
      (arguments.y, arguments.y_dtype, arguments.y_pitch) = (y.base, y.type.dtype.ck, y.pitch)
      return arguments
    }
  }
}

extension ck_normalize {
  /// Everything but the result.
  ///
  /// - Parameter parameters: statistics, and gamma and beta where there are any.
  init(_ norm: Normalize, _ x: TensorView, _ parameters: ArraySlice<TensorView>) {
    self.init()
    let first = parameters.startIndex
    let statistics = parameters[first]
    (self.x, x_dtype, x_pitch) = (UnsafeRawPointer(x.base), x.type.dtype.ck, x.pitch)
    self.statistics = UnsafePointer(statistics.base.assumingMemoryBound(to: Float.self))
    if parameters.count == 3 {
      let (gamma, beta) = (parameters[first + 1], parameters[first + 2])
      (self.gamma, gamma_dtype) = (UnsafeRawPointer(gamma.base), gamma.type.dtype.ck)
      (self.beta, beta_dtype) = (UnsafeRawPointer(beta.base), beta.type.dtype.ck)
    }
    activation = norm.activation?.ck ?? CK_NONE
    eps = norm.eps
    samples = x.type.shape[0]
    rows = ChannelStatistics.pixels(x.type)
    (channels, groups) = (x.columns, norm.groups)
    (all_channels, self.first) = (statistics.type.shape[2], norm.first)
    statistics_parts = statistics.type.shape[0]
  }
}

extension LayerNorm: CPULowerable {
  /// Two passes over a row that stays in cache.
  public func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel? {
    CKernel<ck_layer_norm>(
      name: "layer_norm", function: { $0.layer_norm }, parts: { ck_layer_norm_parts($0) },
      scratch: { ck_layer_norm_scratch($0) }
    ).kernel(node, on: cpu) { tensors in
      let (x, y) = (tensors.operands[0], tensors.results[0])
      var arguments = ck_layer_norm()
      (arguments.x, arguments.x_dtype, arguments.x_pitch) = (UnsafeRawPointer(x.base), x.type.dtype.ck, x.pitch)
      (arguments.y, arguments.y_dtype, arguments.y_pitch) = (y.base, y.type.dtype.ck, y.pitch)
      if tensors.operands.count == 3 {
        let (gamma, beta) = (tensors.operands[1], tensors.operands[2])
        (arguments.gamma, arguments.gamma_dtype) = (UnsafeRawPointer(gamma.base), gamma.type.dtype.ck)
        (arguments.beta, arguments.beta_dtype) = (UnsafeRawPointer(beta.base), beta.type.dtype.ck)
      }
      arguments.eps = eps
      (arguments.rows, arguments.columns) = (x.rows, x.columns)
      return arguments
    }
  }
}

extension Softmax: CPULowerable {
  /// Rows one by one; for graphs whose attention was not fused.
  public func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel? {
    CKernel<ck_softmax>(
      name: "softmax", function: { $0.softmax }, parts: { ck_softmax_parts($0) },
      scratch: { ck_softmax_scratch($0) }
    ).kernel(node, on: cpu) { tensors in
      let (x, y) = (tensors.operands[0], tensors.results[0])
      var arguments = ck_softmax()
      (arguments.x, arguments.x_dtype, arguments.x_pitch) = (UnsafeRawPointer(x.base), x.type.dtype.ck, x.pitch)
      (arguments.y, arguments.y_dtype, arguments.y_pitch) = (y.base, y.type.dtype.ck, y.pitch)
      (arguments.rows, arguments.columns) = (x.rows, x.columns)
      return arguments
    }
  }
}
