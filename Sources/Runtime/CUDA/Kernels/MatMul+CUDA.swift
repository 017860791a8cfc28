import CCUDA
package import GraphIR

extension MatMul: CUDALowerable {
  /// A batch of products; y is transposed first where it comes as `[..., K, N]`.
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? {
    guard node.isFloat else { return nil }
    let y = node.operands[1]
    let shapes = node.cudaPlaceholders
    let plan = batch(shapes, CUDAView(address: 0, transposeB ? y : y.transposed)).plan(gpu)
    return CUDAKernel(plan.name, scratchBytes: plan.scratchBytes + (transposeB ? 0 : y.byteCount)) { tensors in
      let y = tensors.operands[1]
      if transposeB { return batch(tensors, y).calls(plan, tensors) }
      let w = CUDAView(address: tensors.scratch + UInt64(plan.scratchBytes), y.type.transposed)
      var from = y.strides
      from.swapAt(from.count - 1, from.count - 2)
      let axes = zip(w.type.shape, zip(w.strides, from)).map { StridedLoops.Axis(size: $0, y: $1.0, a: $1.1) }
      let loops = StridedLoops(axes)
      if loops.count == 0 { return [] }
      return [moveCall(y.address, to: w.address, loops, elementBytes: y.type.dtype.size)]
        + batch(tensors, w).calls(plan, tensors)
    }
  }

  /// - Parameter w: y, or y transposed: `[..., N, K]`.
  private func batch(_ tensors: CUDATensors, _ w: CUDAView) -> ProductBatch {
    let (x, z) = (tensors.operands[0], tensors.results[0])
    let leading = Array(z.type.shape.dropLast(2))
    func strides(_ view: CUDAView) -> [Int] {
      Array(view.strides(over: leading + view.type.shape.suffix(2)).dropLast(2))
    }
    let (xs, ws, zs) = (strides(x), strides(w), strides(z))
    let axes = leading.indices.map { StridedLoops.Axis(size: leading[$0], y: zs[$0], a: xs[$0], b: ws[$0]) }
    let loops = StridedLoops(axes).axes
    let m = x.type.shape[x.type.rank - 2]
    // Products with the same w, one below the other, are one.
    if let last = loops.last, (last.a, last.b, last.y) == (m * x.pitch, 0, m * z.pitch) {
      return ProductBatch(
        x: x, w: w, z: z, loops: StridedLoops(loops.dropLast()), m: m * last.size, n: z.columns, k: x.columns)
    }
    return ProductBatch(x: x, w: w, z: z, loops: StridedLoops(loops), m: m, n: z.columns, k: x.columns)
  }
}

extension TensorType {
  /// With the last two dimensions exchanged.
  fileprivate var transposed: TensorType {
    var shape = shape
    shape.swapAt(rank - 1, rank - 2)
    return with(shape: shape)
  }
}
