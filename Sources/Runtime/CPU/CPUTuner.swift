import Glibc
package import GraphIR

/// Finds the fastest blocking of convolutions by running them on memory of their own, each as a step of a program
/// finds it: its images just written, its weights long out of the caches.
package struct CPUTuner: Tuner {
  package var measurements: [String: TuningMeasurement<Blocking>] = [:]
  private let device: CPUDevice
  /// Larger than caches are; writing it drives everything else out of them.
  private let flush: HostMemory

  /// A tuner for a device.
  ///
  /// - Throws: `SDError` (resources) without 64 MiB of memory.
  package init(_ device: CPUDevice) throws(SDError) {
    self.device = device
    flush = try HostMemory(byteCount: 64 << 20)
  }

  package var library: any KernelLibrary { device.library }

  package var tuning: Tuning {
    .cpu(
      CPUTuning(
        level: device.cpu.level, multipliesBF16: device.cpu.multipliesBF16, threads: device.threads,
        blockings: measurements.compactMapValues(\.choice)))
  }

  package func measure(
    _ op: FusedConv, _ call: String, _ node: KernelSignature
  ) throws(SDError) -> TuningMeasurement<Blocking>? {
    var rivals: [(blocking: Blocking, kernel: CPUKernel)] = []
    for blocking in op.blockings(node, on: device.cpu).prefix(Self.trials) {
      var cpu = device.cpu
      cpu.blockings = [call: blocking]
      guard let kernel = op.cpuKernel(node, on: cpu) else { continue }
      // Kernels have limits: several blockings may come to the same.
      if rivals.contains(where: { ($0.kernel.parts, $0.kernel.scratchBytes) == (kernel.parts, kernel.scratchBytes) }) {
        continue
      }
      rivals.append((blocking, kernel))
    }
    guard rivals.count > 1 else { return nil }
    let bytes = (node.operands + node.results).reduce(0) { saturatingSum($0, $1.byteCount) }
    try AvailableMemory.check([("tensors", saturatingProduct(2, bytes))])
    let timed = try TimedCall(node, rivals.map(\.kernel), threads: device.threads)
    return try TuningMeasurement(rivals.map(\.blocking)) { (index) throws(SDError) in
      flushCaches()
      return try timed.run(rivals[index].kernel)
    }
  }

  /// Writes to every line, each thread to its share; a whole `memset` of so much would go around the caches.
  private func flushCaches() {
    let (lines, threads) = (flush.byteCount / MemoryPlanner.alignment, device.threads)
    parallel(threads: threads, parts: threads) { [flush] part, _ in
      for line in part * lines / threads..<(part + 1) * lines / threads {
        let offset = line * MemoryPlanner.alignment
        flush.base.storeBytes(of: 1, toByteOffset: offset, as: UInt8.self)
      }
    }
  }
}

/// Memory for a call, and a clock.
private struct TimedCall {
  private let tensors: KernelTensors
  private let images: [HostMemory]
  private let owners: [HostMemory]
  private let scratch: Scratch
  private let threads: Int

  init(_ node: KernelSignature, _ kernels: [CPUKernel], threads: Int) throws(SDError) {
    self.threads = threads
    let layouts = kernels[0].weightLayouts
    let operands = try node.operands.indices.map { (index) throws(SDError) in
      try HostMemory(byteCount: (layouts[index] ?? .dense).byteCount(node.operands[index]))
    }
    let results = try node.results.map { (type) throws(SDError) in try HostMemory(byteCount: type.byteCount) }
    for memory in operands { TimedCall.fill(memory) }
    images = zip(operands, node.isWeight).filter { !$1 }.map(\.0)
    owners = operands + results
    func views(_ memory: [HostMemory], _ types: [TensorType]) -> [TensorView] {
      zip(memory, types).map { TensorView(base: $0.base, type: $1, pitch: $1.lastDimension) }
    }
    tensors = KernelTensors(operands: views(operands, node.operands), results: views(results, node.results))
    let stride = MemoryPlanner.aligned(kernels.reduce(64) { max($0, $1.scratchBytes) })
    scratch = Scratch(memory: try HostMemory(byteCount: stride * threads), stride: stride)
  }

  /// Runs a kernel once; returns the seconds.
  func run(_ kernel: CPUKernel) throws(SDError) -> Double {
    for memory in images { TimedCall.fill(memory) }
    let body = try kernel.bind(tensors)
    let start = Profile.now()
    parallel(threads: threads, parts: kernel.parts) { [scratch] part, thread in body(part, scratch[thread]) }
    return Profile.now() - start
  }

  /// Small numbers in every type: denormals and NaN would take other times.
  private static func fill(_ memory: HostMemory) { memset(memory.base, 0x3C, memory.byteCount) }

  private struct Scratch: @unchecked Sendable {
    let memory: HostMemory
    let stride: Int

    subscript(thread: Int) -> UnsafeMutableRawPointer { memory.base + thread * stride }
  }
}
