import CCUDA
package import GraphIR

/// One copy through loops that are made from the tensors.
private func move(
  _ name: String, _ loops: @escaping @Sendable (_ x: CUDAView, _ y: CUDAView) -> (offset: Int, [StridedLoops.Axis])
) -> CUDAKernel {
  CUDAKernel(name) { tensors in
    let (x, y) = (tensors.operands[0], tensors.results[0])
    let (offset, axes) = loops(x, y)
    let (all, bytes) = (StridedLoops(axes), x.type.dtype.size)
    return all.count == 0 ? [] : [moveCall(x.address + UInt64(offset * bytes), to: y.address, all, elementBytes: bytes)]
  }
}

extension Reshape: CUDALowerable {
  /// A dense copy; lowering asks for it only where a view will not do.
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? {
    move("copy") { x, _ in
      // The result is dense, so its own rows do not matter.
      let dense = CUDAView(address: 0, x.type).strides
      return (0, zip(x.type.shape, zip(dense, x.strides)).map { StridedLoops.Axis(size: $0, y: $1.0, a: $1.1) })
    }
  }
}

extension Transpose: CUDALowerable {
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? {
    move("transpose") { x, y in
      let strides = x.strides
      return (
        0,
        zip(y.type.shape, zip(y.strides, permutation)).map {
          StridedLoops.Axis(size: $0, y: $1.0, a: strides[$1.1])
        }
      )
    }
  }
}

extension Slice: CUDALowerable {
  /// Lowering asks for it only where a view will not do.
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? {
    move("slice") { x, y in
      let strides = x.strides
      let axes = zip(y.type.shape, zip(y.strides, strides)).map { StridedLoops.Axis(size: $0, y: $1.0, a: $1.1) }
      return (start * strides[axis], axes)
    }
  }
}

extension Concat: CUDALowerable {
  /// One copy an operand.
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? {
    CUDAKernel("concat") { [axis] tensors in
      let y = tensors.results[0]
      let (strides, bytes) = (y.strides, y.type.dtype.size)
      var (calls, start): ([CUDACall], Int) = ([], 0)
      for x in tensors.operands {
        let axes = zip(x.type.shape, zip(strides, x.strides)).map { StridedLoops.Axis(size: $0, y: $1.0, a: $1.1) }
        let (loops, place) = (StridedLoops(axes), y.address + UInt64(start * strides[axis] * bytes))
        if loops.count > 0 { calls.append(moveCall(x.address, to: place, loops, elementBytes: bytes)) }
        start += x.type.shape[axis]
      }
      return calls
    }
  }
}

extension UpsampleNearest: CUDALowerable {
  /// Copies pixels; `FuseConv` makes most of them part of the convolution behind.
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? {
    guard node.isFloat else { return nil }
    return CUDAKernel("upsample_nearest") { tensors in
      let (x, y) = (tensors.operands[0], tensors.results[0])
      if y.type.count == 0 { return [] }
      var p = cu_upsample()
      (p.x, p.x_pitch, p.y, p.y_pitch) = (x.address, x.pitch.int32, y.address, y.pitch.int32)
      (p.element_bytes, p.samples, p.channels) = (x.type.dtype.size.int32, x.type.shape[0].int32, x.columns.int32)
      (p.in_h, p.in_w) = (x.type.shape[1].int32, x.type.shape[2].int32)
      (p.out_h, p.out_w) = (y.type.shape[1].int32, y.type.shape[2].int32)
      let grid = (y.type.shape[1] * y.type.shape[2], x.type.shape[0], 1)
      return [CUDACall(.elementwise, "upsample_nearest", grid: grid, block: 256, p)]
    }
  }
}

extension Gather: CUDALowerable {
  /// The row of an id outside the table becomes NaN; callers check ids before they run.
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? {
    CUDAKernel("gather", denseOperands: [1]) { tensors in
      gatherCall(tensors, columns: tensors.operands[0].columns, pitch: tensors.operands[0].pitch)
    }
  }
}

extension SelectRow: CUDALowerable {
  /// A gather of one row.
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? {
    let table = node.operands[0]
    let columns = table.shape.dropFirst().reduce(1, *)
    return CUDAKernel("select_row", denseOperands: table.rank == 2 ? [] : [0]) { tensors in
      gatherCall(tensors, columns: columns, pitch: table.rank == 2 ? tensors.operands[0].pitch : columns)
    }
  }
}

/// Rows of operand 0 by the ids in operand 1.
private func gatherCall(_ tensors: CUDATensors, columns: Int, pitch: Int) -> [CUDACall] {
  let (table, ids, y) = (tensors.operands[0], tensors.operands[1], tensors.results[0])
  if y.type.count == 0 { return [] }
  var p = cu_gather()
  (p.table, p.table_dtype, p.table_pitch) = (table.address, table.type.dtype.cu, pitch.int32)
  (p.ids, p.ids_dtype, p.y, p.y_dtype) = (ids.address, ids.type.dtype.cu, y.address, y.type.dtype.cu)
  (p.table_rows, p.rows, p.columns) = (table.type.shape[0].int32, ids.type.count.int32, columns.int32)
  let grid = (ids.type.count, min(dividedUp(columns, 256), 64), 1)
  return [CUDACall(.elementwise, "gather", grid: grid, block: 256, p)]
}

extension CausalMask: CUDALowerable {
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? {
    CUDAKernel("causal_mask") { [size] tensors in
      var p = cu_softmax()
      (p.y, p.rows, p.columns) = (tensors.results[0].address, size.int32, size.int32)
      return [CUDACall(.elementwise, "causal_mask", grid: (size, 1, 1), block: 256, p)]
    }
  }
}
