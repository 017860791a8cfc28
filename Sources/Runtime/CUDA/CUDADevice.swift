package import GraphIR
import Synchronization

/// A GPU of NVIDIA's.
package struct CUDADevice: Device {
  /// `cuda:0`.
  package var name: String { context.name }
  /// One: blocks have no scratch memory of their own.
  package let threads = 1
  package let context: CUDAContext
  /// What its kernels are chosen by.
  package var gpu: GPU
  let modules: CUDAModules
  private let weights = UploadedWeights()
  private let groups = GroupProducts()

  /// A GPU.
  ///
  /// - Parameters:
  ///   - stored: the kernels of a plan.
  ///   - tuning: what was measured where the plan was made; used on GPUs like that one.
  ///   - cache: where other kernels come from.
  /// - Throws: `SDError` (device) for a GPU that is too old or too new.
  package init(
    _ context: CUDAContext, stored: StoredKernels? = nil, tuning: CUDATuning? = nil, cache: CubinCache = CubinCache()
  ) throws(SDError) {
    self.context = context
    gpu = try context.gpu()
    if let tuning, tuning.fits(gpu) { gpu.cuts = tuning.cuts }
    modules = CUDAModules(context, gpu.architecture, stored: stored, cache: cache)
  }

  package var library: any KernelLibrary { CUDALibrary(gpu) }

  /// Multiply-adds on tensor cores, or in float32, at the clock that the driver tells.
  package func peakFLOPS(_ dtype: DType) throws(SDError) -> Double {
    let architecture = gpu.architecture
    let perCycle = dtype == .f32 ? architecture.float32FlopsPerCycle : architecture.flopsPerCycle
    return Double(gpu.multiprocessors) * perCycle * Double(try context.clock())
  }

  package func bandwidth() throws(SDError) -> Double { try context.bandwidth() }

  /// Whether kernels can be had: the plan's, or a compiler's.
  ///
  /// - Throws: `SDError` (device) when there are neither.
  package func checkKernels() throws(SDError) { try modules.check() }

  package func checkMemory(_ needs: [(what: String, bytes: Int)]) throws(SDError) {
    try AvailableMemory.check(needs, available: context.memory().free, on: name)
  }

  /// Calls of our kernels, with these loaded.
  func launches(_ calls: [CUDACall]) throws(SDError) -> [CUDALaunch] {
    try calls.map { (call) throws(SDError) in try launch(groups.choose(call, on: self)) }
  }

  /// A call of exactly that kernel.
  func launch(_ call: CUDACall) throws(SDError) -> CUDALaunch {
    CUDALaunch(
      function: try modules.function(call), grid: call.grid, block: call.block, sharedBytes: call.sharedBytes,
      parameters: call.parameters, overlapsPrevious: true)
  }

  package func allocate(_ byteCount: Int) throws(SDError) -> CUDAMemory { try context.allocate(byteCount) }

  package func tensor(_ type: TensorType) throws(SDError) -> CUDATensor {
    CUDATensor(type: type, memory: try context.allocate(type.byteCount), context: context)
  }

  package func prepare(
    _ program: Program, weights: any WeightSource, arena: CUDAMemory, bindings: [String: CUDATensor],
    profile: Profile?
  ) throws(SDError) -> any Executable {
    try CUDAExecutable(program, self, weights: weights, arena: arena, bindings: bindings, profile: profile)
  }

  /// A weight in the GPU's memory; programs that have the same one share it.
  func upload(_ weight: Program.Weight, of source: any WeightSource) throws(SDError) -> CUDAMemory {
    let bytes = UnsafeRawBufferPointer(
      start: try source.bytes(of: weight), count: weight.layout.byteCount(weight.type))
    return try weights.memory(for: bytes) { () throws(SDError) in
      let memory = try context.allocate(bytes.count)
      try context.upload(bytes, to: memory.address)
      return memory
    }
  }
}

/// Weights that are on the GPU, by where they are on the host. Who holds one holds its source as well, so that an address
/// names the same bytes for as long as they are kept here.
private final class UploadedWeights: Sendable {
  private struct Place: Hashable {
    let address: UInt
    let byteCount: Int
  }
  private struct Entry {
    weak var memory: CUDAMemory?
  }
  private let entries = Mutex<[Place: Entry]>([:])

  func memory(
    for bytes: UnsafeRawBufferPointer, upload: () throws(SDError) -> CUDAMemory
  ) throws(SDError) -> CUDAMemory {
    let place = Place(address: UInt(bitPattern: bytes.baseAddress), byteCount: bytes.count)
    if let memory = entries.withLock({ $0[place]?.memory }) { return memory }
    let memory = try upload()
    entries.withLock { $0[place] = Entry(memory: memory) }
    return memory
  }
}

/// A dense tensor in a GPU's memory.
package struct CUDATensor: DeviceTensor {
  package let type: TensorType
  /// Its bytes.
  package let memory: CUDAMemory
  let context: CUDAContext

  /// Uploads the values behind the work asked for so far.
  package func write(_ values: [Float]) throws(SDError) {
    let staged = try TensorStorage(type)
    staged.write(values)
    try context.upload(staged.bytes, to: memory.address)
  }

  /// Waits for the work asked for so far and downloads the values.
  package func read() throws(SDError) -> [Float] {
    let staged = try TensorStorage(type)
    try context.download(from: memory.address, into: UnsafeMutableRawBufferPointer(mutating: staged.bytes))
    return staged.read()
  }
}

extension TensorStorage {
  /// The bytes of the tensor.
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory.bytes[..<type.byteCount]) }
}
