import CCUDA
package import GraphIR

extension ChannelStatistics: CUDALowerable {
  /// Shifted sums; a block has a part of the pixels and 64 channels.
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? {
    CUDAKernel("channel_statistics") { [parts] tensors in
      let x = tensors.operands[0]
      if tensors.results[0].type.count == 0 { return [] }
      var p = cu_channel_statistics()
      (p.x, p.dtype, p.pitch, p.statistics) = (x.address, x.type.dtype.cu, x.pitch.int32, tensors.results[0].address)
      (p.samples, p.rows) = (x.type.shape[0].int32, ChannelStatistics.pixels(x.type).int32)
      (p.channels, p.parts) = (x.columns.int32, parts.int32)
      let grid = (parts, dividedUp(x.columns, 64), x.type.shape[0])
      return [CUDACall(.norm, "channel_statistics", grid: grid, block: 256, p)]
    }
  }
}

extension Normalize: CUDALowerable {
  /// One pass; a block has whole groups and a range of pixels, and merges the groups' statistics first.
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? {
    let channels = node.operands[1].shape[2]
    let width = channels / groups
    // Runs of 128 channels and more are read at the full speed of the memory, in pieces of eight.
    let wanted = (1...groups).first { $0 * width >= min(128, channels) && $0 * width % 8 == 0 }
    let blockGroups = wanted ?? groups
    let sharedBytes = 2 * blockGroups * width * 4
    guard node.isFloat, sharedBytes <= 48 << 10 else { return nil }
    return CUDAKernel("normalize", denseOperands: [1], inPlaceOperands: [0]) {
      [groups, eps, activation, first] tensors in
      let (x, statistics, y) = (tensors.operands[0], tensors.operands[1], tensors.results[0])
      if y.type.count == 0 { return [] }
      let (samples, rows) = (x.type.shape[0], ChannelStatistics.pixels(x.type))
      let groupBlocks = dividedUp(groups, blockGroups)
      // Two blocks a multiprocessor, which is what it holds, of at least 16 pixels.
      let rowBlocks = max(1, min(2 * gpu.multiprocessors / max(1, groupBlocks * samples), rows / 16))
      let blockRows = dividedUp(rows, rowBlocks)
      var p = cu_normalize()
      (p.x, p.x_dtype, p.x_pitch) = (x.address, x.type.dtype.cu, x.pitch.int32)
      (p.y, p.y_dtype, p.y_pitch, p.statistics) = (y.address, y.type.dtype.cu, y.pitch.int32, statistics.address)
      if tensors.operands.count == 4 {
        (p.gamma, p.gamma_dtype) = (tensors.operands[2].address, tensors.operands[2].type.dtype.cu)
        (p.beta, p.beta_dtype) = (tensors.operands[3].address, tensors.operands[3].type.dtype.cu)
      }
      (p.samples, p.rows, p.channels, p.all_channels) = (samples.int32, rows.int32, x.columns.int32, channels.int32)
      (p.first, p.groups, p.parts) = (first.int32, groups.int32, statistics.type.shape[0].int32)
      p.function = activation?.cu ?? Int32(CU_IDENTITY.rawValue)
      (p.block_groups, p.block_rows, p.eps) = (blockGroups.int32, blockRows.int32, eps)
      let grid = (dividedUp(rows, blockRows), groupBlocks, samples)
      return [CUDACall(.norm, "normalize", grid: grid, block: 256, sharedBytes: sharedBytes, p)]
    }
  }
}

extension LayerNorm: CUDALowerable {
  /// A warp a row.
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? {
    guard node.isFloat else { return nil }
    return CUDAKernel("layer_norm") { [eps] tensors in
      let (x, y) = (tensors.operands[0], tensors.results[0])
      if y.type.count == 0 { return [] }
      var p = cu_layer_norm()
      (p.x, p.x_dtype, p.x_pitch) = (x.address, x.type.dtype.cu, x.pitch.int32)
      (p.y, p.y_dtype, p.y_pitch) = (y.address, y.type.dtype.cu, y.pitch.int32)
      if tensors.operands.count == 3 {
        (p.gamma, p.gamma_dtype) = (tensors.operands[1].address, tensors.operands[1].type.dtype.cu)
        (p.beta, p.beta_dtype) = (tensors.operands[2].address, tensors.operands[2].type.dtype.cu)
      }
      (p.rows, p.columns, p.eps) = (x.rows.int32, x.columns.int32, eps)
      return [CUDACall(.norm, "layer_norm", grid: (dividedUp(x.rows, 8), 1, 1), block: 256, p)]
    }
  }
}

extension Softmax: CUDALowerable {
  /// A block a row.
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? {
    CUDAKernel("softmax") { tensors in softmaxCalls(tensors.operands[0], scale: 1, to: tensors.results[0]) }
  }
}

/// softmax(scale · x) by rows.
func softmaxCalls(_ x: CUDAView, scale: Float, to y: CUDAView) -> [CUDACall] {
  if y.type.count == 0 { return [] }
  var p = cu_softmax()
  (p.x, p.x_dtype, p.x_pitch) = (x.address, x.type.dtype.cu, x.pitch.int32)
  (p.y, p.y_dtype, p.y_pitch) = (y.address, y.type.dtype.cu, y.pitch.int32)
  (p.rows, p.columns, p.scale) = (x.rows.int32, x.columns.int32, scale)
  return [CUDACall(.norm, "softmax", grid: (x.rows, 1, 1), block: 256, p)]
}
