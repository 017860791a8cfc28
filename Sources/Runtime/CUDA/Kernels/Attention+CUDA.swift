import CCUDA
package import GraphIR

extension Attention: CUDALowerable {
  /// Heads of the usual widths in 16 bits stream through tensor cores; wide ones are two products with a softmax
  /// between them; for the rest a block has a query.
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? {
    let (q, k, v) = (node.operands[0], node.operands[1], node.operands[2])
    let width = q.lastDimension / heads
    guard node.isFloat, Set(node.operands.map(\.dtype)).count == 1 else { return nil }
    let isSquare = q.lastDimension == v.lastDimension
    // What is streamed subtracts the largest score before it is scaled, and none is minus infinity at first.
    if q.dtype.size == 2, scale > 0, isSquare, let rows = Attention.rows[width] { return streamed(width, rows) }
    let isDivisible = [width, v.lastDimension / heads, k.shape[1]].allSatisfy { $0 % 8 == 0 }
    if !causal, isDivisible || q.dtype == .f32 { return inProducts(node, gpu) }
    // A little of 48 KiB is taken already.
    return isSquare && 4 * k.shape[1] <= 47 << 10 ? queryByQuery() : nil
  }

  /// Queries of a warp, in sixteens, by the width of heads that kernels are compiled for; `WIDTHS` in attention.cu has the
  /// same list.
  private static let rows = [8: 2, 16: 2, 32: 2, 40: 2, 64: 2, 80: 1, 128: 1, 160: 1]

  private func parameters(_ tensors: CUDATensors) -> cu_attention {
    let (q, k, v, o) = (tensors.operands[0], tensors.operands[1], tensors.operands[2], tensors.results[0])
    var p = cu_attention()
    (p.q, p.k, p.v, p.o) = (q.address, k.address, v.address, o.address)
    (p.q_pitch, p.k_pitch, p.v_pitch, p.o_pitch) = (q.pitch.int32, k.pitch.int32, v.pitch.int32, o.pitch.int32)
    (p.dtype, p.o_dtype, p.scale, p.causal) = (q.type.dtype.cu, o.type.dtype.cu, scale, causal ? 1 : 0)
    (p.samples, p.heads, p.d) = (q.type.shape[0].int32, heads.int32, (q.columns / heads).int32)
    (p.queries, p.keys) = (q.type.shape[1].int32, k.type.shape[1].int32)
    return p
  }

  /// Blocks of four warps' queries of one head.
  private func streamed(_ width: Int, _ rows: Int) -> CUDAKernel {
    // Two tiles of 64 keys and two of values, in lines of an odd number of 16-byte pieces.
    let sharedBytes = 4 * 64 * (dividedUp(width, 16) * 2 | 1) * 16
    let any = queryByQuery()
    return CUDAKernel("attention_\(width)") { tensors in
      let (q, dtype) = (tensors.operands[0].type, tensors.operands[0].type.dtype.rawValue)
      guard (tensors.operands + tensors.results).allSatisfy(\.isAligned) else { return any.calls(tensors) }
      if q.count == 0 { return [] }
      let grid = (dividedUp(q.shape[1], 64 * rows), heads, q.shape[0])
      return [
        CUDACall(
          .attention, "attention_\(dtype)_\(width)", grid: grid, block: 128, sharedBytes: sharedBytes,
          parameters(tensors))
      ]
    }
  }

  /// A block a query and head, which keeps all its scores.
  private func queryByQuery() -> CUDAKernel {
    CUDAKernel("attention_any") { tensors in
      let q = tensors.operands[0].type
      if q.count == 0 { return [] }
      return [
        CUDACall(
          .attention, "attention_any", grid: (q.shape[1], heads, q.shape[0]), block: 128,
          sharedBytes: 4 * tensors.operands[1].type.shape[1], parameters(tensors))
      ]
    }
  }

  /// softmax(q kᵀ scale) v as two batches of products, some queries at a time; scores are in float32.
  private func inProducts(_ node: KernelSignature, _ gpu: GPU) -> CUDAKernel {
    let (q, v) = (node.operands[0], node.operands[2])
    let (samples, queries, keys) = (q.shape[0], q.shape[1], v.shape[1])
    let columns = v.lastDimension / heads
    // Scores of 64 MiB at most, but of 64 queries.
    let queryBytes = max(1, samples * heads * keys) * 4
    let chunk = max(1, min(queries, max(64, (64 << 20) / queryBytes)))
    let scores = MemoryPlanner.aligned(chunk * queryBytes)
    let transposed = MemoryPlanner.aligned(v.byteCount)
    // Probabilities and transposed values lie behind the scores.
    @Sendable func products(_ tensors: CUDATensors, _ range: Range<Int>) -> (
      CUDAView, ProductBatch, CUDAView, ProductBatch
    ) {
      let (q, k, v, o) = (tensors.operands[0], tensors.operands[1], tensors.operands[2], tensors.results[0])
      let rows = range.count
      let shape = [samples * heads * rows, keys]
      let s = CUDAView(address: tensors.scratch, TensorType(.f32, shape))
      let p = CUDAView(address: tensors.scratch + UInt64(scores), q.type.with(shape: shape))
      let w = CUDAView(
        address: tensors.scratch + UInt64(2 * scores), v.type.with(shape: [samples, heads, columns, keys]))
      let size = q.type.dtype.size
      let from = CUDAView(
        address: q.address + UInt64(range.lowerBound * q.pitch * size), type: q.type, pitch: q.pitch)
      let to = CUDAView(address: o.address + UInt64(range.lowerBound * o.pitch * size), type: o.type, pitch: o.pitch)
      let width = q.columns / heads
      let first = ProductBatch(
        x: from, w: k, z: s,
        loops: StridedLoops([
          .init(size: samples, y: heads * rows * keys, a: queries * q.pitch, b: keys * k.pitch),
          .init(size: heads, y: rows * keys, a: width, b: width),
        ]), m: rows, n: keys, k: width)
      let second = ProductBatch(
        x: p, w: w, z: to,
        loops: StridedLoops([
          .init(size: samples, y: queries * o.pitch, a: heads * rows * keys, b: heads * columns * keys),
          .init(size: heads, y: columns, a: rows * keys, b: columns * keys),
        ]), m: rows, n: columns, k: keys)
      return (s, first, p, second)
    }
    let shapes = products(node.cudaPlaceholders, 0..<chunk)
    let plans = (shapes.1.plan(gpu), shapes.3.plan(gpu))
    let partials = max(plans.0.scratchBytes, plans.1.scratchBytes)
    return CUDAKernel("attention_products", scratchBytes: 2 * scores + transposed + partials) { [scale] tensors in
      if tensors.results[0].type.count == 0 { return [] }
      let v = tensors.operands[2]
      let w = tensors.scratch + UInt64(2 * scores)
      var sums = tensors
      sums.scratch = w + UInt64(transposed)
      let axes = [
        StridedLoops.Axis(size: samples, y: heads * columns * keys, a: keys * v.pitch),
        StridedLoops.Axis(size: heads, y: columns * keys, a: columns),
        StridedLoops.Axis(size: columns, y: keys, a: 1), StridedLoops.Axis(size: keys, y: 1, a: v.pitch),
      ]
      var calls = [moveCall(v.address, to: w, StridedLoops(axes), elementBytes: v.type.dtype.size)]
      for start in stride(from: 0, to: queries, by: chunk) {
        let (s, first, p, second) = products(tensors, start..<min(start + chunk, queries))
        calls += first.calls(plans.0, sums) + softmaxCalls(s, scale: scale, to: p) + second.calls(plans.1, sums)
      }
      return calls
    }
  }
}
