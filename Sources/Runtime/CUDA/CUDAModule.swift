import CCUDA
package import GraphIR

/// Compiled kernels on a GPU.
package final class CUDAModule: @unchecked Sendable {
  /// What errors call it.
  package let name: String
  private let context: CUDAContext
  private let handle: CUmodule

  fileprivate init(_ handle: CUmodule, name: String, context: CUDAContext) {
    (self.handle, self.name, self.context) = (handle, name, context)
  }

  deinit { context.release { [handle] in _ = $0.cuModuleUnload(handle) } }

  /// A kernel that may be launched with up to that much dynamic shared memory.
  ///
  /// - Throws: `SDError` (device) when there is none of this name, or the GPU has less shared memory.
  package func function(_ name: String, sharedBytes: Int = 0) throws(SDError) -> CUDAFunction {
    let driver = context.driver
    let api = try context.current()
    var function: CUfunction?
    try driver.check(api.cuModuleGetFunction(&function, handle, name), "find the kernel '\(name)' in '\(self.name)'")
    guard let function else { throw SDError(.device, "there is no kernel '\(name)' in '\(self.name)'") }
    guard sharedBytes <= context.sharedBytesPerBlock else {
      throw SDError(
        .device,
        "the kernel '\(name)' needs \(sharedBytes) bytes of shared memory, a block on \(context.name) "
          + "(\(context.deviceName)) has \(context.sharedBytesPerBlock)")
    }
    let id = Int32(SD_CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES)
    let action = "give \(sharedBytes) bytes of shared memory to the kernel '\(name)'"
    var limit: Int32 = 0
    try driver.check(api.cuFuncGetAttribute(&limit, id, function), action)
    // Only raised: the same kernel may be in use elsewhere with more.
    if sharedBytes > Int(limit) { try driver.check(api.cuFuncSetAttribute(function, id, Int32(sharedBytes)), action) }
    return CUDAFunction(name: name, handle: function, module: self)
  }
}

/// A kernel on a GPU. It holds its module.
package struct CUDAFunction: @unchecked Sendable {
  /// Its name in the source.
  package let name: String
  let handle: CUfunction
  private let module: CUDAModule

  fileprivate init(name: String, handle: CUfunction, module: CUDAModule) {
    (self.name, self.handle, self.module) = (name, handle, module)
  }
}

extension CUDAContext {
  /// Loads compiled kernels.
  ///
  /// - Parameters:
  ///   - name: what errors call them.
  package func load(_ cubin: [UInt8], name: String) throws(SDError) -> CUDAModule {
    guard let module = try loadIfKnown(cubin, name: name) else {
      throw .cuda(CUDAStatus.noBinaryForGPU.rawValue, name: "", cannot: loading(name))
    }
    return module
  }

  /// Loads compiled kernels, nil when the driver does not take their format.
  func loadIfKnown(_ cubin: [UInt8], name: String) throws(SDError) -> CUDAModule? {
    let api = try current()
    var module: CUmodule?
    let status = api.cuModuleLoadData(&module, cubin)
    if [CUDAStatus.invalidImage, .noBinaryForGPU].contains(CUDAStatus(rawValue: status)) { return nil }
    try driver.check(status, loading(name))
    guard let module else { throw SDError(.device, "cannot \(loading(name)): the driver gave nothing") }
    return CUDAModule(module, name: name, context: self)
  }

  private func loading(_ name: String) -> String { "load the kernels '\(name)' on \(self.name) (\(deviceName))" }
}
