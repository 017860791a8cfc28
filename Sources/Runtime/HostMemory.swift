import CKernels
import Glibc
package import GraphIR

/// Zeroed host memory, 64-byte aligned, in huge pages where it is large. Freed with the last reference.
package final class HostMemory: @unchecked Sendable {
  /// The first byte.
  package let base: UnsafeMutableRawPointer
  /// Usable bytes.
  package let byteCount: Int
  private let mapped: Int

  /// Reserves memory; the pages are taken when they are first written.
  ///
  /// - Throws: `SDError` (resources) when the system refuses.
  package init(byteCount: Int) throws(SDError) {
    let page = 1 << 12
    let (padded, overflow) = byteCount.addingReportingOverflow(page)
    guard byteCount >= 0, !overflow,
      let base = mmap(nil, padded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), base != MAP_FAILED
    else { throw SDError(.resources, "cannot allocate \(byteCount) bytes of memory") }
    if byteCount >= 4 << 20 { madvise(base, padded, MADV_HUGEPAGE) }
    self.base = base
    self.byteCount = byteCount
    mapped = padded
  }

  deinit { munmap(base, mapped) }

  /// All bytes.
  package var bytes: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: base, count: byteCount)
  }
}

/// A dense tensor in host memory, shared between who writes and who reads it.
package struct TensorStorage: DeviceTensor {
  /// Element type and shape.
  package let type: TensorType
  /// Its bytes, at least `type.byteCount`.
  package let memory: HostMemory

  /// Zeroed memory for a tensor.
  ///
  /// - Throws: `SDError` (resources) when the system refuses.
  package init(_ type: TensorType) throws(SDError) {
    self.type = type
    memory = try HostMemory(byteCount: type.byteCount)
  }

  /// A dense view of the tensor.
  package var view: TensorView { TensorView(base: memory.base, type: type, pitch: type.lastDimension) }

  /// Stores float32 or integer values; there must be `type.count` of them.
  package func write(_ values: [Float]) { view.write(values) }

  /// The values as Float.
  package func read() -> [Float] { view.read() }
}
