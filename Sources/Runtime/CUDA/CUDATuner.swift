package import GraphIR

/// Finds the fastest cuts of convolutions by running them on a GPU, each as a step of a program finds it: its images just
/// written, its weights long out of the caches.
package struct CUDATuner: Tuner {
  package var measurements: [String: TuningMeasurement<ConvCut>] = [:]
  private let device: CUDADevice
  /// Larger than the second cache; writing it drives everything else out of that.
  private let flush: CUDAMemory

  /// A tuner for a GPU.
  ///
  /// - Throws: `SDError` (device) when it has too little memory.
  package init(_ device: CUDADevice) throws(SDError) {
    self.device = device
    flush = try device.allocate(2 * device.context.cacheBytes())
  }

  package var library: any KernelLibrary { device.library }

  package var tuning: Tuning {
    .cuda(
      CUDATuning(
        architecture: device.gpu.architecture, deviceName: device.context.deviceName,
        multiprocessors: device.gpu.multiprocessors, cuts: measurements.compactMapValues(\.choice)))
  }

  package func measure(
    _ op: FusedConv, _ call: String, _ node: KernelSignature
  ) throws(SDError) -> TuningMeasurement<ConvCut>? {
    let cuts = Array(op.cuts(node, on: device.gpu).prefix(Self.trials))
    guard cuts.count > 1 else { return nil }
    let kernels = cuts.compactMap { cut in
      var gpu = device.gpu
      gpu.cuts = [call: cut]
      return op.cudaKernel(node, on: gpu)
    }
    guard let layouts = kernels.first?.weightLayouts, kernels.count == cuts.count else { return nil }
    let operands = try node.operands.indices.map { (index) throws(SDError) in
      try device.allocate((layouts[index] ?? .dense).byteCount(node.operands[index]))
    }
    let results = try node.results.map { (type) throws(SDError) in try device.allocate(type.byteCount) }
    let scratch = try device.allocate(kernels.reduce(0) { max($0, $1.scratchBytes) })
    let counters = try device.allocate(CUDAKernel.counters * MemoryLayout<Int32>.size)
    func views(_ memory: [CUDAMemory], _ types: [TensorType]) -> [CUDAView] {
      zip(memory, types).map { CUDAView(address: $0.address, $1) }
    }
    let tensors = CUDATensors(
      operands: views(operands, node.operands), results: views(results, node.results), scratch: scratch.address,
      counters: counters.address)
    let launches = try kernels.map { (kernel) throws(SDError) in try device.launches(kernel.calls(tensors)) }
    let (start, end) = (try CUDAEvent(device.context), try CUDAEvent(device.context))
    // Small numbers in every type: zeros would take less power, and so less time.
    func fill(_ memory: CUDAMemory) throws(SDError) {
      try device.context.fill(memory.address, byteCount: memory.byteCount, 0x3C)
    }
    for memory in operands { try fill(memory) }
    // What is not named any more would be freed.
    defer { withExtendedLifetime((results, scratch, counters)) {} }
    return try TuningMeasurement(cuts) { (index) throws(SDError) in
      try fill(flush)
      for (memory, isWeight) in zip(operands, node.isWeight) where !isWeight { try fill(memory) }
      try start.record()
      for launch in launches[index] { try device.context.launch(launch) }
      try end.record()
      try end.wait()
      return try end.milliseconds(since: start) / 1e3
    }
  }
}
