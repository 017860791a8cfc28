import CCUDA
package import GraphIR

/// Where a kernel finds a tensor in a GPU's memory: rows of contiguous elements, `pitch` elements from one to the next.
package struct CUDAView: Sendable {
  /// The first element.
  package let address: UInt64
  /// Element type and shape.
  package let type: TensorType
  /// Elements from a row to the next.
  package let pitch: Int

  /// A view of memory that outlives it.
  package init(address: UInt64, type: TensorType, pitch: Int) {
    (self.address, self.type, self.pitch) = (address, type, pitch)
  }

  /// A dense tensor.
  package init(address: UInt64, _ type: TensorType) {
    self.init(address: address, type: type, pitch: type.lastDimension)
  }

  /// All dimensions but the last, taken together.
  var rows: Int { type.rows }
  /// The last dimension.
  var columns: Int { type.lastDimension }
  /// Whether every eighth element of a row begins at a multiple of 16 bytes.
  var isAligned: Bool { address % 16 == 0 && pitch % 8 == 0 }

  /// Elements from one index to the next along every axis.
  var strides: [Int] {
    var strides = [Int](repeating: 1, count: type.rank)
    for axis in strides.indices.dropLast().reversed() {
      strides[axis] = axis == type.rank - 2 ? pitch : strides[axis + 1] * type.shape[axis + 1]
    }
    return strides
  }
}

/// The tensors of a kernel call.
package struct CUDATensors: Sendable {
  /// What it reads.
  package var operands: [CUDAView]
  /// What it writes.
  package var results: [CUDAView]
  /// Memory of the call's own, 256-byte aligned; between calls it is anyone's.
  package var scratch: UInt64 = 0
  /// Counters of parts that are done (`CUDAKernel.counters` of them); 0 between calls.
  package var counters: UInt64 = 0
}

/// One launch of a kernel of ours.
package struct CUDACall: Sendable {
  /// The file that the kernel is in.
  package var unit: CUDAUnit
  /// Its name there.
  package var function: String
  /// Blocks.
  package var grid: (x: Int, y: Int, z: Int)
  /// Threads of a block.
  package var block: Int
  /// Dynamic shared memory of a block.
  package var sharedBytes: Int
  /// The bytes of the parameter struct.
  package var parameters: [UInt8]

  /// A launch with a struct of cu_kernels.h.
  init<Parameters: BitwiseCopyable>(
    _ unit: CUDAUnit, _ function: String, grid: (x: Int, y: Int, z: Int), block: Int, sharedBytes: Int = 0,
    _ parameters: Parameters
  ) {
    (self.unit, self.function, self.grid, self.block) = (unit, function, grid, block)
    self.sharedBytes = sharedBytes
    self.parameters = withUnsafeBytes(of: parameters) { Array($0) }
  }
}

/// What a GPU does for one node, chosen by its types; the addresses come later.
package struct CUDAKernel: Kernel {
  package let name: String
  package let weightLayouts: [Int: WeightLayout]
  package let acceptsPitch = true
  package let denseOperands: Set<Int>
  package let inPlaceOperands: Set<Int>
  package let scratchBytes: Int
  /// The launches, in order.
  package let calls: @Sendable (CUDATensors) -> [CUDACall]

  init(
    _ name: String, weightLayouts: [Int: WeightLayout] = [:], denseOperands: Set<Int> = [],
    inPlaceOperands: Set<Int> = [], scratchBytes: Int = 0,
    calls: @escaping @Sendable (CUDATensors) -> [CUDACall]
  ) {
    (self.name, self.weightLayouts, self.denseOperands) = (name, weightLayouts, denseOperands)
    (self.inPlaceOperands, self.scratchBytes, self.calls) = (inPlaceOperands, scratchBytes, calls)
  }

  /// Blocks that may count parts.
  static let counters = 1 << 14
}

/// An op that has a kernel for GPUs.
package protocol CUDALowerable: Op {
  /// A kernel for these types, or nil when there is none for them.
  func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel?
}

/// The kernels of a GPU.
package struct CUDALibrary: KernelLibrary {
  private let gpu: GPU

  /// The kernels that a GPU would run.
  package init(_ gpu: GPU) { self.gpu = gpu }

  package func kernel(for op: any Op, _ signature: KernelSignature) -> (any Kernel)? {
    (op as? any CUDALowerable)?.cudaKernel(signature, on: gpu)
  }
}

extension KernelSignature {
  /// Dense tensors at no address.
  var cudaPlaceholders: CUDATensors {
    CUDATensors(
      operands: operands.map { CUDAView(address: 0, $0) }, results: results.map { CUDAView(address: 0, $0) })
  }
}

extension DType {
  /// The kernels' name for this type.
  var cu: Int32 {
    switch self {
    case .f32: Int32(CU_F32.rawValue)
    case .f16: Int32(CU_F16.rawValue)
    case .bf16: Int32(CU_BF16.rawValue)
    case .i32: Int32(CU_I32.rawValue)
    case .i64: Int32(CU_I64.rawValue)
    }
  }
}

extension Activation {
  /// The kernels' name for this function.
  var cu: Int32 {
    switch self {
    case .silu: Int32(CU_SILU.rawValue)
    case .gelu: Int32(CU_GELU.rawValue)
    case .quickGELU: Int32(CU_QUICK_GELU.rawValue)
    }
  }
}

extension Int {
  /// As the kernels' int. Tensors have fewer than 2³¹ elements by then (`CUDAExecutable`).
  var int32: Int32 { Int32(clamping: self) }
}

/// a / b, rounded up.
func dividedUp(_ a: Int, _ b: Int) -> Int { (a + b - 1) / b }
