import GraphIR
import Synchronization

/// The kernels of one GPU, loaded when they are first asked for: those of a plan, or else of the cache of what was compiled
/// here.
final class CUDAModules: Sendable {
  private let context: CUDAContext
  private let architecture: CUDAArchitecture
  private let stored: StoredKernels?
  private let cache: CubinCache
  private let loaded = Mutex<[CUDAUnit: CUDAModule]>([:])

  init(_ context: CUDAContext, _ architecture: CUDAArchitecture, stored: StoredKernels?, cache: CubinCache) {
    (self.context, self.architecture, self.stored, self.cache) = (context, architecture, stored, cache)
  }

  /// The kernel that a call names, ready for its shared memory.
  func function(_ call: CUDACall) throws(SDError) -> CUDAFunction {
    try module(call.unit).function(call.function, sharedBytes: call.sharedBytes)
  }

  /// A kernel without dynamic shared memory.
  func function(_ unit: CUDAUnit, _ name: String) throws(SDError) -> CUDAFunction { try module(unit).function(name) }

  /// Loads the smallest file of kernels.
  func check() throws(SDError) { _ = try module(.sampler) }

  private func module(_ unit: CUDAUnit) throws(SDError) -> CUDAModule {
    try loaded.withLock { loaded throws(SDError) in
      if let module = loaded[unit] { return module }
      let source = unit.source(for: architecture)
      let stored = try storedModule(source)
      let module = if let stored { stored } else { try context.load(cache.cubin(source), name: source.name) }
      loaded[unit] = module
      return module
    }
  }

  /// Nil also for kernels of a compiler that is newer than the driver.
  private func storedModule(_ source: CUDASource) throws(SDError) -> CUDAModule? {
    guard let cubin = try stored?.cubin(source) else { return nil }
    return try context.loadIfKnown(cubin, name: source.name)
  }
}
