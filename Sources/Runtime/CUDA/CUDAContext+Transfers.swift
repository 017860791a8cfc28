import CCUDA
package import GraphIR
import Synchronization

/// Two pieces of pinned host memory that uploads pass through in turns: one is filled while the other is copied. From
/// memory that is not pinned the driver would copy at half the speed, and wait each time.
struct Staging: @unchecked Sendable {
  /// Bytes of one piece.
  static let byteCount = 8 << 20

  private struct Piece {
    var memory: UnsafeMutableRawPointer
    var copied: CUevent
  }
  private var pieces: [Piece] = []
  private var next = 0

  init(_ context: CUDAContext, _ api: sd_cuda_driver) throws(SDError) {
    do throws(SDError) {
      for _ in 0..<2 { pieces.append(try Self.piece(context, api)) }
    } catch {
      free(api)
      throw error
    }
  }

  private static func piece(_ context: CUDAContext, _ api: sd_cuda_driver) throws(SDError) -> Piece {
    let action = "allocate pinned memory for \(context.name)"
    var memory: UnsafeMutableRawPointer?
    try context.driver.check(api.cuMemAllocHost_v2(&memory, byteCount), action)
    var event: CUevent?
    let status = api.cuEventCreate(&event, 0)
    if status != 0, let memory { _ = api.cuMemFreeHost(memory) }
    try context.driver.check(status, action)
    guard let memory, let event else { throw SDError(.device, "cannot \(action): the driver gave nothing") }
    return Piece(memory: memory, copied: event)
  }

  func free(_ api: sd_cuda_driver) {
    for piece in pieces {
      // The GPU may still read it.
      _ = api.cuEventSynchronize(piece.copied)
      _ = api.cuEventDestroy_v2(piece.copied)
      _ = api.cuMemFreeHost(piece.memory)
    }
  }

  /// Uploads at most `byteCount` bytes.
  mutating func upload(
    _ bytes: UnsafeRawBufferPointer, to address: UInt64, _ context: CUDAContext, _ api: sd_cuda_driver
  ) throws(SDError) {
    guard let start = bytes.baseAddress else { return }
    let (piece, check) = (pieces[next], context.driver.check)
    next = 1 - next
    let action = "upload \(bytes.count) bytes to \(context.name)"
    // An event that was never recorded counts as done.
    try check(api.cuEventSynchronize(piece.copied), action)
    piece.memory.copyMemory(from: start, byteCount: bytes.count)
    try check(api.cuMemcpyHtoDAsync_v2(address, piece.memory, bytes.count, context.stream), action)
    try check(api.cuEventRecord(piece.copied, context.stream), action)
  }
}

extension CUDAContext {
  /// Copies bytes to the GPU, behind the work asked for so far. The bytes are free again when this returns.
  ///
  /// Not while a graph is recorded: it would read what the staging memory holds later.
  package func upload(_ bytes: UnsafeRawBufferPointer, to address: UInt64) throws(SDError) {
    let api = try current()
    try staging.withLock { staging throws(SDError) in
      var pieces: Staging
      if let staging { pieces = staging } else { pieces = try Staging(self, api) }
      defer { staging = pieces }
      for start in stride(from: 0, to: bytes.count, by: Staging.byteCount) {
        let part = UnsafeRawBufferPointer(rebasing: bytes[start..<min(bytes.count, start + Staging.byteCount)])
        try pieces.upload(part, to: address + UInt64(start), self, api)
      }
    }
  }

  /// Waits for the work asked for so far and copies bytes from the GPU.
  package func download(from address: UInt64, into bytes: UnsafeMutableRawBufferPointer) throws(SDError) {
    guard let start = bytes.baseAddress, bytes.count > 0 else { return try synchronize() }
    let api = try current()
    let action = "download \(bytes.count) bytes from \(name)"
    try driver.check(api.cuMemcpyDtoHAsync_v2(start, address, bytes.count, stream), action)
    try driver.check(api.cuStreamSynchronize(stream), action)
  }

  /// Copies within the GPU's memory, later.
  package func copy(from source: UInt64, to target: UInt64, byteCount: Int) throws(SDError) {
    if byteCount == 0 { return }
    let api = try current()
    try driver.check(
      api.cuMemcpyDtoDAsync_v2(target, source, byteCount, stream), "copy \(byteCount) bytes on \(name)")
  }

  /// Sets bytes of the GPU's memory, later.
  package func fill(_ address: UInt64, byteCount: Int, _ byte: UInt8) throws(SDError) {
    if byteCount == 0 { return }
    let api = try current()
    try driver.check(api.cuMemsetD8Async(address, byte, byteCount, stream), "fill \(byteCount) bytes on \(name)")
  }
}
