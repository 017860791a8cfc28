import CCUDA
package import GraphIR

/// Memory of a GPU, 256-byte aligned. Freed with the last reference, after the work that uses it.
package final class CUDAMemory: @unchecked Sendable {
  /// The first byte's address on the GPU.
  package let address: UInt64
  /// Usable bytes.
  package let byteCount: Int
  private let context: CUDAContext

  fileprivate init(address: UInt64, byteCount: Int, context: CUDAContext) {
    (self.address, self.byteCount, self.context) = (address, byteCount, context)
  }

  deinit {
    context.release { [address, context] in
      // Nobody promises that cuMemFree waits for the work that uses the memory.
      _ = $0.cuStreamSynchronize(context.stream)
      _ = $0.cuMemFree_v2(address)
    }
  }
}

extension CUDAContext {
  /// Zeroed memory.
  ///
  /// - Throws: `SDError` (device) with the bytes that are asked for and free.
  package func allocate(_ byteCount: Int) throws(SDError) -> CUDAMemory {
    let api = try current()
    var address: CUdeviceptr = 0
    // No bytes are an address, too; the driver refuses to give one.
    let status = api.cuMemAlloc_v2(&address, max(1, byteCount))
    if status == CUDAStatus.outOfMemory.rawValue, let (free, total) = try? memory() {
      throw SDError(
        .device, "cannot allocate \(byteCount) bytes on \(name): \(free) of \(total) are free",
        hint: "Make smaller pictures, or end what else uses the GPU.")
    }
    try driver.check(status, "allocate \(byteCount) bytes on \(name)")
    let memory = CUDAMemory(address: address, byteCount: byteCount, context: self)
    try fill(address, byteCount: byteCount, 0)
    return memory
  }
}
