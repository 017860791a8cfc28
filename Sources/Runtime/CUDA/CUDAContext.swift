import CCUDA
package import GraphIR
import Synchronization

/// A GPU with one stream: everything is done in the order in which it was asked for, and most of it later.
///
/// It shares the GPU's primary context with whatever else in the process uses CUDA. Any thread may call it; the order
/// of calls from two threads is theirs to keep. What it hands out holds it.
package final class CUDAContext: @unchecked Sendable {
  /// `cuda:0`.
  package let name: String
  /// `NVIDIA H100 80GB HBM3`.
  package let deviceName: String
  /// 10 × major + minor: 90.
  package let computeCapability: Int
  /// Streaming multiprocessors.
  package let multiprocessors: Int
  /// Most bytes of shared memory that a block may ask for.
  package let sharedBytesPerBlock: Int

  let driver: CUDADriver
  let stream: CUstream
  /// Pinned memory on the way to the GPU; made by the first upload.
  let staging = Mutex<Staging?>(nil)
  private let device: CUdevice
  private let context: CUcontext

  /// Opens a GPU.
  ///
  /// - Throws: `SDError` (device) when there is no driver or no such GPU, or it does not work.
  package convenience init(ordinal: Int) throws(SDError) {
    try self.init(ordinal: ordinal, driver: CUDADriver.shared.get())
  }

  /// Opens a GPU of a driver.
  package init(ordinal: Int, driver: CUDADriver) throws(SDError) {
    guard 0..<driver.deviceCount ~= ordinal, let number = Int32(exactly: ordinal) else {
      throw .noSuchGPU(ordinal, count: driver.deviceCount)
    }
    let (name, api) = ("cuda:\(ordinal)", driver.api)
    let opening = "open \(name)"
    var device: CUdevice = 0
    try driver.check(api.cuDeviceGet(&device, number), opening)
    func attribute(_ id: Int) throws(SDError) -> Int {
      var value: Int32 = 0
      try driver.check(api.cuDeviceGetAttribute(&value, Int32(id), device), opening)
      return Int(value)
    }
    var text = [CChar](repeating: 0, count: 256)
    try driver.check(api.cuDeviceGetName(&text, Int32(text.count - 1), device), opening)
    deviceName = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    computeCapability =
      10 * (try attribute(Int(SD_CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)))
      + (try attribute(Int(SD_CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)))
    multiprocessors = try attribute(Int(SD_CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT))
    sharedBytesPerBlock = try attribute(Int(SD_CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN))

    var context: CUcontext?
    try driver.check(api.cuDevicePrimaryCtxRetain(&context, device), opening)
    var stream: CUstream?
    do throws(SDError) {
      try driver.check(api.cuCtxSetCurrent(context), opening)
      try driver.check(api.cuStreamCreate(&stream, UInt32(SD_CU_STREAM_NON_BLOCKING)), opening)
      guard context != nil, stream != nil else { throw SDError(.device, "cannot \(opening): the driver gave nothing") }
    } catch {
      _ = api.cuDevicePrimaryCtxRelease_v2(device)
      throw error
    }
    guard let context, let stream else { throw SDError(.device, "cannot \(opening): the driver gave nothing") }
    (self.name, self.driver, self.device, self.context, self.stream) = (name, driver, device, context, stream)
  }

  deinit {
    release { api in
      staging.withLock { $0?.free(api) }
      _ = api.cuStreamDestroy_v2(stream)
      _ = api.cuDevicePrimaryCtxRelease_v2(device)
    }
  }

  /// The driver's entries, with this context current for the calling thread.
  func current() throws(SDError) -> sd_cuda_driver {
    try driver.check(driver.api.cuCtxSetCurrent(context), "use \(name)")
    return driver.api
  }

  /// Gives something back; a context that is lost has nothing to complain about any more.
  func release(_ body: (sd_cuda_driver) -> Void) {
    _ = driver.api.cuCtxSetCurrent(context)
    body(driver.api)
  }

  /// Cycles a second at most.
  func clock() throws(SDError) -> Double { 1e3 * Double(try attribute(Int(SD_CU_DEVICE_ATTRIBUTE_CLOCK_RATE))) }

  /// Bytes a second between the GPU and its memory at most.
  func bandwidth() throws(SDError) -> Double {
    let clock = 1e3 * Double(try attribute(Int(SD_CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE)))
    // Two transfers a cycle.
    return 2 * clock * Double(try attribute(Int(SD_CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH))) / 8
  }

  /// Bytes of the second cache.
  func cacheBytes() throws(SDError) -> Int { try attribute(Int(SD_CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE)) }

  private func attribute(_ id: Int) throws(SDError) -> Int {
    var value: Int32 = 0
    try driver.check(driver.api.cuDeviceGetAttribute(&value, Int32(id), device), "ask \(name) for its clocks and cache")
    return Int(value)
  }

  /// Bytes that are free, and all there are.
  package func memory() throws(SDError) -> (free: Int, total: Int) {
    let api = try current()
    var (free, total) = (0, 0)
    try driver.check(api.cuMemGetInfo_v2(&free, &total), "ask \(name) for its memory")
    return (free, total)
  }

  /// Waits until everything asked for is done. Failures of kernels come out here.
  package func synchronize() throws(SDError) {
    let api = try current()
    try driver.check(api.cuStreamSynchronize(stream), "finish the work of \(name)")
  }
}
