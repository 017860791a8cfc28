import Glibc
package import GraphIR

/// Finds the fastest blocking of convolutions by running them on memory of their own, each as a step of a program
/// finds it: its images just written, its weights long out of the caches.
package struct Tuner {
  /// What was measured of one call.
  package struct Measurement: Sendable {
    /// The fastest blocking, nil where the predicted one is within 2 % of it.
    package var blocking: Blocking?
    /// Seconds with the predicted blocking.
    package var predicted: Double
    /// Seconds with the blocking that is used from now on.
    package var best: Double
  }

  /// By call, `sd.fused_conv(bf16[2, 64, 64, 320], …) {…}`.
  package private(set) var measurements: [String: Measurement] = [:]
  private let device: CPUDevice
  /// Larger than caches are; writing it drives everything else out of them.
  private let flush: HostMemory

  /// Blockings of a call that are tried at most.
  private static let trials = 16
  /// Times that the last of them run.
  private static let rounds = 5

  /// A tuner for a device.
  ///
  /// - Throws: `SDError` (resources) without 64 MiB of memory.
  package init(_ device: CPUDevice) throws(SDError) {
    self.device = device
    flush = try HostMemory(byteCount: 64 << 20)
  }

  /// What plans keep.
  package var tuning: Tuning {
    Tuning(
      level: device.cpu.level, multipliesBF16: device.cpu.multipliesBF16, threads: device.threads,
      blockings: measurements.compactMapValues(\.blocking))
  }

  /// Measures the convolutions of a program that were not measured yet.
  ///
  /// - Throws: `SDError`: resources for too little memory, cancelled when a signal stops it.
  package mutating func tune(_ program: Program) throws(SDError) {
    for step in program.steps {
      guard let op = step.op as? FusedConv else { continue }
      let call = GraphText.call(op, step.operands.map(\.type))
      if measurements[call] == nil { measurements[call] = try measure(op, call, step) }
    }
  }

  private func measure(_ op: FusedConv, _ call: String, _ step: Program.Step) throws(SDError) -> Measurement? {
    let node = KernelSignature(
      operands: step.operands.map(\.type), results: step.results.map(\.type),
      isWeight: step.operands.map { if case .weight = $0.place { true } else { false } })
    var rivals: [Rival] = []
    for blocking in op.blockings(node, on: device.cpu).prefix(Tuner.trials) {
      var cpu = device.cpu
      cpu.blockings = [call: blocking]
      guard let kernel = op.cpuKernel(node, on: cpu) else { continue }
      // Kernels have limits: several blockings may come to the same.
      if rivals.contains(where: { ($0.kernel.parts, $0.kernel.scratchBytes) == (kernel.parts, kernel.scratchBytes) }) {
        continue
      }
      rivals.append(Rival(blocking: blocking, kernel: kernel))
    }
    guard rivals.count > 1 else { return nil }
    let bytes = (node.operands + node.results).reduce(0) { saturatingSum($0, $1.byteCount) }
    try AvailableMemory.check([("tensors", saturatingProduct(2, bytes))])
    let call = try TimedCall(node, rivals.map(\.kernel), threads: device.threads)
    for _ in 0..<Tuner.rounds {
      for index in rivals.indices {
        if let stop = Interruption.error { throw stop }
        memset(flush.base, 0, flush.byteCount)
        rivals[index].seconds = min(rivals[index].seconds, try call.run(rivals[index].kernel))
      }
      let fastest = rivals.reduce(.infinity) { min($0, $1.seconds) }
      rivals = [rivals[0]] + rivals.dropFirst().filter { $0.seconds <= 1.05 * fastest }
    }
    let predicted = rivals[0]
    let best = rivals.reduce(predicted) { $1.seconds < 0.98 * $0.seconds ? $1 : $0 }
    return Measurement(
      blocking: best.blocking == predicted.blocking ? nil : best.blocking, predicted: predicted.seconds,
      best: best.seconds)
  }

  private struct Rival {
    let blocking: Blocking
    let kernel: CPUKernel
    var seconds = Double.infinity
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
