import CCUDA
package import GraphIR

/// Nested loops over the elements of y, a and b, outermost first.
struct StridedLoops {
  struct Axis {
    var size: Int
    var y: Int
    var a: Int
    var b = 0
  }
  private(set) var axes: [Axis] = []

  /// Axes of size 1 are left out, and neighbours that go on where the other ends are one.
  init(_ all: [Axis]) {
    for axis in all where axis.size != 1 {
      if let last = axes.last,
        (last.y, last.a, last.b) == (axis.size * axis.y, axis.size * axis.a, axis.size * axis.b)
      {
        axes[axes.count - 1] = Axis(size: last.size * axis.size, y: axis.y, a: axis.a, b: axis.b)
      } else {
        axes.append(axis)
      }
    }
  }

  var count: Int { axes.reduce(1) { $0 * $1.size } }

  /// The loops over pieces of several neighbours, where all rows can be cut into such.
  func inPieces(of width: Int) -> StridedLoops? {
    guard let last = axes.last, (last.y, last.a) == (1, 1), last.size % width == 0,
      axes.dropLast().allSatisfy({ $0.y % width == 0 && $0.a % width == 0 })
    else { return nil }
    var pieces = self
    for index in axes.indices.dropLast() {
      pieces.axes[index].y /= width
      pieces.axes[index].a /= width
    }
    pieces.axes[axes.count - 1].size /= width
    return pieces
  }

  var parameters: cu_elementwise {
    var p = cu_elementwise()
    (p.rank, p.count) = (axes.count.int32, Int64(count))
    withUnsafeMutableBytes(of: &p.sizes) { $0.store(axes.map(\.size.int32)) }
    withUnsafeMutableBytes(of: &p.y_strides) { $0.store(axes.map { Int64($0.y) }) }
    withUnsafeMutableBytes(of: &p.a_strides) { $0.store(axes.map { Int64($0.a) }) }
    withUnsafeMutableBytes(of: &p.b_strides) { $0.store(axes.map { Int64($0.b) }) }
    return p
  }
}

/// Blocks for so many elements; threads go on with further ones.
private func blocks(_ count: Int) -> (x: Int, y: Int, z: Int) { (min(dividedUp(count, 256), 1 << 12), 1, 1) }

/// A copy of elements: x and y in their places, loops over them.
func moveCall(_ x: UInt64, to y: UInt64, _ loops: StridedLoops, elementBytes: Int) -> CUDACall {
  var (loops, bytes) = (loops, elementBytes)
  if x % 16 == 0, y % 16 == 0, let pieces = loops.inPieces(of: 16 / bytes) { (loops, bytes) = (pieces, 16) }
  var p = loops.parameters
  (p.a, p.y, p.operation) = (x, y, bytes.int32)
  return CUDACall(.elementwise, "move", grid: blocks(loops.count), block: 256, p)
}

/// y = f(x), rounded to the type of y.
private func unary(_ function: cu_function, _ name: String) -> CUDAKernel {
  CUDAKernel(name) { tensors in
    let (x, y) = (tensors.operands[0], tensors.results[0])
    let axes = zip(x.type.shape, zip(y.strides, x.strides)).map { StridedLoops.Axis(size: $0, y: $1.0, a: $1.1) }
    let loops = StridedLoops(axes)
    if loops.count == 0 { return [] }
    var p = loops.parameters
    (p.a, p.a_dtype, p.y, p.y_dtype) = (x.address, x.type.dtype.cu, y.address, y.type.dtype.cu)
    p.operation = Int32(function.rawValue)
    return [CUDACall(.elementwise, "unary", grid: blocks(loops.count), block: 256, p)]
  }
}

extension SiLU: CUDALowerable {
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? { unary(CU_SILU, "silu") }
}

extension GELU: CUDALowerable {
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? { unary(CU_GELU, "gelu") }
}

extension QuickGELU: CUDALowerable {
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? { unary(CU_QUICK_GELU, "quick_gelu") }
}

extension Exp: CUDALowerable {
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? { unary(CU_EXP, "exp") }
}

extension Sigmoid: CUDALowerable {
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? { unary(CU_SIGMOID, "sigmoid") }
}

extension Rsqrt: CUDALowerable {
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? { unary(CU_RSQRT, "rsqrt") }
}

extension Erf: CUDALowerable {
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? { unary(CU_ERF, "erf") }
}

extension Sine: CUDALowerable {
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? { unary(CU_SINE, "sine") }
}

extension Cosine: CUDALowerable {
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? { unary(CU_COSINE, "cosine") }
}

extension Cast: CUDALowerable {
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? { unary(CU_IDENTITY, "cast") }
}

extension BinaryOp {
  /// z = x op y with broadcasting; 0 … 3 are add, subtract, multiply, divide.
  fileprivate func binary(_ operation: Int32, _ name: String) -> CUDAKernel {
    CUDAKernel(name) { tensors in
      let (x, y, z) = (tensors.operands[0], tensors.operands[1], tensors.results[0])
      let (xs, ys, zs) = (x.strides(over: z.type.shape), y.strides(over: z.type.shape), z.strides)
      let axes = z.type.shape.indices.map {
        StridedLoops.Axis(size: z.type.shape[$0], y: zs[$0], a: xs[$0], b: ys[$0])
      }
      let loops = StridedLoops(axes)
      if loops.count == 0 { return [] }
      var p = loops.parameters
      (p.a, p.a_dtype, p.b, p.b_dtype) = (x.address, x.type.dtype.cu, y.address, y.type.dtype.cu)
      (p.y, p.y_dtype, p.operation) = (z.address, z.type.dtype.cu, operation)
      return [CUDACall(.elementwise, "binary", grid: blocks(loops.count), block: 256, p)]
    }
  }
}

extension CUDAView {
  /// Strides that repeat this tensor over a broadcast shape.
  func strides(over shape: [Int]) -> [Int] {
    let (padding, own) = (shape.count - type.rank, strides)
    return shape.indices.map { axis in
      axis < padding || type.shape[axis - padding] == 1 ? 0 : own[axis - padding]
    }
  }
}

extension Add: CUDALowerable {
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? { binary(0, "add") }
}

extension Subtract: CUDALowerable {
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? { binary(1, "subtract") }
}

extension Multiply: CUDALowerable {
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? { binary(2, "multiply") }
}

extension Divide: CUDALowerable {
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? { binary(3, "divide") }
}

extension ReduceOp {
  /// A thread an element of the result.
  fileprivate func reduction(_ node: KernelSignature, isMax: Bool, _ name: String) -> CUDAKernel {
    CUDAKernel(name) { [axes] tensors in
      let (x, y) = (tensors.operands[0], tensors.results[0])
      let all = zip(x.type.shape, x.strides).enumerated()
      // An axis runs along x alone; y follows from the order.
      func loops(_ isInner: Bool) -> (sizes: [Int], strides: [Int]) {
        let own = all.filter { axes.contains($0.offset) == isInner && $0.element.0 != 1 }.map(\.element)
        return (own.map(\.0), own.map(\.1))
      }
      let (outer, inner) = (loops(false), loops(true))
      if y.type.count == 0 { return [] }
      var p = cu_reduce()
      (p.x, p.x_dtype, p.y, p.y_dtype) = (x.address, x.type.dtype.cu, y.address, y.type.dtype.cu)
      p.is_max = isMax ? 1 : 0
      (p.outer_rank, p.outer_count) = (outer.sizes.count.int32, y.type.count.int32)
      (p.inner_rank, p.inner_count) = (inner.sizes.count.int32, inner.sizes.reduce(1, *).int32)
      withUnsafeMutableBytes(of: &p.outer_sizes) { $0.store(outer.sizes.map(\.int32)) }
      withUnsafeMutableBytes(of: &p.inner_sizes) { $0.store(inner.sizes.map(\.int32)) }
      withUnsafeMutableBytes(of: &p.outer_strides) { $0.store(outer.strides.map(Int64.init)) }
      withUnsafeMutableBytes(of: &p.inner_strides) { $0.store(inner.strides.map(Int64.init)) }
      return [CUDACall(.elementwise, "reduce", grid: (dividedUp(y.type.count, 128), 1, 1), block: 128, p)]
    }
  }
}

extension Sum: CUDALowerable {
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? {
    reduction(node, isMax: false, "sum")
  }
}

extension Max: CUDALowerable {
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? { reduction(node, isMax: true, "max") }
}

extension UnsafeMutableRawBufferPointer {
  /// Stores numbers from the start on.
  func store<Number: FixedWidthInteger>(_ numbers: [Number]) {
    numbers.withUnsafeBytes { copyMemory(from: UnsafeRawBufferPointer(rebasing: $0.prefix(count))) }
  }
}
