import CCUDA
package import GraphIR

/// One call of a kernel that takes one struct by value.
package struct CUDALaunch: Sendable {
  /// The kernel.
  package var function: CUDAFunction
  /// Blocks.
  package var grid: (x: Int, y: Int, z: Int)
  /// Threads of a block, along x.
  package var block: Int
  /// Dynamic shared memory of a block.
  package var sharedBytes: Int
  /// The bytes of the parameter struct.
  package var parameters: [UInt8]
  /// The kernel may start before the one in front of it ended (programmatic dependent launch); it waits itself, with
  /// `griddepcontrol.wait`, before it touches what that one writes. Ignored where GPU or driver cannot.
  package var overlapsPrevious: Bool

  /// A call.
  package init(
    function: CUDAFunction, grid: (x: Int, y: Int, z: Int), block: Int, sharedBytes: Int = 0,
    parameters: [UInt8] = [], overlapsPrevious: Bool = false
  ) {
    (self.function, self.grid, self.block) = (function, grid, block)
    (self.sharedBytes, self.parameters, self.overlapsPrevious) = (sharedBytes, parameters, overlapsPrevious)
  }
}

extension CUDAContext {
  /// Whether a kernel can start before the one in front of it ended: from Hopper on, and in graphs from CUDA 12.3 on.
  package var canOverlap: Bool { computeCapability >= 90 && driver.version >= 12030 }

  /// Launches a kernel, later. The parameters are copied at once.
  ///
  /// - Throws: `SDError` (device) for a launch that is refused. What goes wrong in the kernel comes out of a later call.
  package func launch(_ launch: CUDALaunch) throws(SDError) {
    let api = try current()
    // What does not fit becomes a number that the driver refuses.
    var config = CUlaunchConfig(
      gridDimX: UInt32(clamping: launch.grid.x), gridDimY: UInt32(clamping: launch.grid.y),
      gridDimZ: UInt32(clamping: launch.grid.z), blockDimX: UInt32(clamping: launch.block), blockDimY: 1, blockDimZ: 1,
      sharedMemBytes: UInt32(clamping: launch.sharedBytes), hStream: stream, attrs: nil, numAttrs: 0)
    var overlap = CUlaunchAttribute()
    overlap.id = Int32(SD_CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION)
    overlap.value.programmaticStreamSerializationAllowed = 1
    let overlaps = launch.overlapsPrevious && canOverlap

    // An array of bytes has no alignment to speak of, the struct has.
    let count = max(16, launch.parameters.count)
    let status = withUnsafeTemporaryAllocation(byteCount: count, alignment: 16) { parameters in
      parameters.copyBytes(from: launch.parameters)
      var pointers = [parameters.baseAddress]
      return withUnsafeMutablePointer(to: &overlap) { overlap in
        if overlaps { (config.attrs, config.numAttrs) = (overlap, 1) }
        return api.cuLaunchKernelEx(&config, launch.function.handle, &pointers, nil)
      }
    }
    // Into a recording that somebody spoiled: its end says so.
    if status == Int32(SD_CUDA_ERROR_STREAM_CAPTURE_INVALIDATED) { return }
    try driver.check(status, "launch the kernel '\(launch.function.name)' on \(name)")
  }
}
