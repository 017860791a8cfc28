import CCUDA
package import GraphIR

/// NVIDIA's driver: libcuda, found and initialised at run time. It is one of many libraries for most of the machines
/// that run this code, so its absence is an ordinary error.
package final class CUDADriver: @unchecked Sendable {
  /// The oldest driver whose entries are all used: CUDA 12.0.
  package static let requiredVersion = 12000

  /// The driver of this process, loaded at the first use.
  package static let shared = Result { () throws(SDError) in try CUDADriver(folder: Debug.cudaFolder) }

  /// The CUDA release it is for: 1000 × major + 10 × minor.
  package let version: Int
  /// The GPUs it offers.
  package let deviceCount: Int
  /// Its entries; immutable.
  let api: sd_cuda_driver

  /// Loads libcuda.so.1, from `folder` if it is there, and initialises it.
  ///
  /// - Throws: `SDError` (device) that says what is missing.
  package init(folder: String?) throws(SDError) {
    let table = UnsafeMutablePointer<sd_cuda_driver>.allocate(capacity: 1)
    defer { table.deallocate() }
    if let state = CUDALibraryState(loading: { sd_cuda_load_driver(table, folder, $0, $1) }) {
      throw .noCUDADriver(state)
    }
    api = table.pointee

    var number: Int32 = 0
    try Self.check(api, api.cuDriverGetVersion(&number), "ask the driver for its version")
    version = Int(number)
    // Before cuInit: an old driver may fail there with a number that says less.
    guard version >= Self.requiredVersion else { throw .cudaDriverTooOld(version, required: Self.requiredVersion) }
    try Self.check(api, api.cuInit(0), "start CUDA")
    try Self.check(api, api.cuDeviceGetCount(&number), "count the GPUs")
    deviceCount = Int(number)
  }

  /// Throws what a status means unless it is success.
  ///
  /// - Parameters:
  ///   - action: what was being done, to follow "cannot": "launch conv_f16 on cuda:0".
  func check(_ status: Int32, _ action: @autoclosure () -> String) throws(SDError) {
    try Self.check(api, status, action())
  }

  private static func check(
    _ api: sd_cuda_driver, _ status: Int32, _ action: @autoclosure () -> String
  ) throws(SDError) {
    if status == 0 { return }
    throw .cuda(status, name: name(of: status, api), cannot: action())
  }

  /// `CUDA_ERROR_INVALID_VALUE`; a number the driver does not know stands for itself.
  private static func name(of status: Int32, _ api: sd_cuda_driver) -> String {
    var name: UnsafePointer<CChar>?
    guard api.cuGetErrorName(status, &name) == 0, let name else { return "CUDA error" }
    return String(cString: name)
  }
}

extension CUDALibraryState {
  /// Calls a loader of CCUDA with room for its detail; nil when it loaded the library.
  init?(loading load: (UnsafeMutablePointer<CChar>, Int) -> sd_cuda_loading) {
    var detail = [CChar](repeating: 0, count: 512)
    let state = detail.withUnsafeMutableBufferPointer { detail in
      detail.baseAddress.map { load($0, detail.count) } ?? SD_CUDA_NO_LIBRARY
    }
    let text = String(decoding: detail.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    switch state {
    case SD_CUDA_LOADED: return nil
    case SD_CUDA_UNLOADABLE: self = .unloadable(text)
    case SD_CUDA_SYMBOL_MISSING: self = .symbolMissing(text)
    default: self = .missing
    }
  }
}
