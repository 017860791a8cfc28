import GraphIR

/// A program bound to addresses: a list of kernel bodies that run one after the other, each on all threads.
final class CPUExecutable: Executable {
  let program: Program
  private let bodies: [CPUKernel.Body]
  private let parts: [Int]
  private let results: [[TensorView]]
  private let threads: Int
  private let scratch: HostMemory
  private let scratchStride: Int
  private let profile: Profile?
  /// Keeps alive what the bodies point to.
  private let owners: [Any]

  init(
    _ program: Program, threads: Int, weights: any WeightSource, arena: HostMemory,
    bindings: [String: TensorStorage], profile: Profile?
  ) throws(SDError) {
    guard arena.byteCount >= program.arenaBytes else {
      throw SDError(.resources, "'\(program.graph.name)' needs an arena of \(program.arenaBytes) bytes")
    }
    self.program = program
    self.threads = threads
    self.profile = profile
    scratchStride = max(64, MemoryPlanner.aligned(program.scratchBytes))
    scratch = try HostMemory(byteCount: scratchStride * threads)
    let constants = try program.constants.map { (constant) throws(SDError) -> TensorStorage in
      let storage = try TensorStorage(constant.type)
      storage.write(constant.values)
      return storage
    }
    let inputs = try program.resolve(program.inputs, in: bindings)
    let outputs = try program.resolve(program.outputs, in: bindings)
    let weightBytes = try program.weights.map { (weight) throws(SDError) in try weights.bytes(of: weight) }
    owners = [arena, weights, constants, inputs, outputs]

    func view(_ operand: Program.Operand) -> TensorView {
      let base: UnsafeMutableRawPointer =
        switch operand.place {
        case .buffer(let index): arena.base + program.buffers[index].offset
        case .weight(let index): UnsafeMutableRawPointer(mutating: weightBytes[index])
        case .constant(let index): constants[index].memory.base
        case .input(let index): inputs[index].memory.base
        case .output(let index): outputs[index].memory.base
        }
      return TensorView(base: base + operand.offset, type: operand.type, pitch: operand.pitch)
    }
    var bodies: [CPUKernel.Body] = []
    var parts: [Int] = []
    var results: [[TensorView]] = []
    for step in program.steps {
      guard let kernel = step.kernel as? CPUKernel else {
        throw SDError(.device, "kernel '\(step.kernel.name)' is not one of the CPU's, at '\(step.location)'")
      }
      let tensors = KernelTensors(operands: step.operands.map(view), results: step.results.map(view))
      bodies.append(try kernel.bind(tensors))
      parts.append(kernel.parts)
      results.append(tensors.results)
      Debug.log(4, "'\(step.location)': \(type(of: step.op).id) by \(kernel.name) in \(kernel.parts) parts")
    }
    self.bodies = bodies
    self.parts = parts
    self.results = results
  }

  func run() throws(SDError) {
    let start = Profile.now()
    for index in bodies.indices {
      if let stop = Interruption.error { throw stop }
      if let profile { profile.measure(program, step: index) { run(index) } } else { run(index) }
      if Debug.checksNaN { try checkNumbers(index) }
    }
    let seconds = Profile.now() - start
    Debug.log(2, "'\(program.graph.name)': \(seconds * 1e3) ms, \(Double(program.flops) / seconds / 1e9) GFLOP/s")
  }

  func finish() {}

  private func checkNumbers(_ index: Int) throws(SDError) {
    for view in results[index] where view.read().contains(where: \.isNaN) { throw program.notANumber(step: index) }
  }

  private func run(_ index: Int) {
    let (body, scratch, stride) = (bodies[index], ThreadScratch(base: scratch.base), scratchStride)
    parallel(threads: threads, parts: parts[index]) { part, thread in body(part, scratch.base + thread * stride) }
  }

  /// Memory of which every thread has its own stretch.
  private struct ThreadScratch: @unchecked Sendable {
    let base: UnsafeMutableRawPointer
  }
}

extension Program {
  /// What `SD_CHECK_NAN` has found.
  func notANumber(step index: Int) -> SDError {
    SDError(
      .numerics,
      "'\(graph.name)': the first result that is not a number is that of '\(steps[index].location)' "
        + "(\(steps[index].kernel.name), step \(index + 1) of \(steps.count))")
  }
}
