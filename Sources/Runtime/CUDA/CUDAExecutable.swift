import GraphIR

/// A program bound to addresses of a GPU: launches, recorded as a graph by the first run.
final class CUDAExecutable: Executable {
  let program: Program
  private let context: CUDAContext
  private let profile: Profile?
  private var graph: CUDAGraph?
  /// The launches of every step.
  private let steps: [[CUDALaunch]]
  private let results: [[CUDAView]]
  /// Keeps alive what the launches point to.
  private let owners: [Any]

  init(
    _ program: Program, _ device: CUDADevice, weights: any WeightSource, arena: CUDAMemory,
    bindings: [String: CUDATensor], profile: Profile?
  ) throws(SDError) {
    guard arena.byteCount >= program.arenaBytes else {
      throw SDError(.resources, "'\(program.graph.name)' needs an arena of \(program.arenaBytes) bytes")
    }
    (self.program, context, self.profile) = (program, device.context, profile)
    let constants = try program.constants.map { (constant) throws(SDError) in
      let tensor = try device.tensor(constant.type)
      try tensor.write(constant.values)
      return tensor
    }
    let inputs = try program.resolve(program.inputs, in: bindings)
    let outputs = try program.resolve(program.outputs, in: bindings)
    let uploaded = try program.weights.map { (weight) throws(SDError) in try device.upload(weight, of: weights) }
    let scratch = try device.allocate(program.scratchBytes)
    let counters = try device.allocate(CUDAKernel.counters * MemoryLayout<Int32>.size)
    owners = [arena, weights, constants, inputs, outputs, uploaded, scratch, counters]

    func view(_ operand: Program.Operand, _ step: Program.Step) throws(SDError) -> CUDAView {
      let base =
        switch operand.place {
        case .buffer(let index): arena.address + UInt64(program.buffers[index].offset)
        case .weight(let index): uploaded[index].address
        case .constant(let index): constants[index].memory.address
        case .input(let index): inputs[index].memory.address
        case .output(let index): outputs[index].memory.address
        }
      guard operand.byteSpan < (1 << 31) * operand.type.dtype.size else {
        throw SDError(
          .incompatible,
          "'\(step.location)': \(operand.type) has 2^31 elements or more, which no kernel on \(device.name) takes",
          hint: "Compile for a smaller --size or --batch.")
      }
      return CUDAView(address: base + UInt64(operand.offset), type: operand.type, pitch: operand.pitch)
    }
    var steps: [[CUDALaunch]] = []
    var results: [[CUDAView]] = []
    for step in program.steps {
      guard let kernel = step.kernel as? CUDAKernel else {
        throw SDError(.device, "kernel '\(step.kernel.name)' is not one of a GPU's, at '\(step.location)'")
      }
      var tensors = CUDATensors(operands: [], results: [], scratch: scratch.address, counters: counters.address)
      for operand in step.operands { tensors.operands.append(try view(operand, step)) }
      for result in step.results { tensors.results.append(try view(result, step)) }
      let launches = try device.launches(kernel.calls(tensors))
      steps.append(launches)
      results.append(tensors.results)
      Debug.log(
        4, "'\(step.location)': \(type(of: step.op).id) by \(launches.map(\.function.name).joined(separator: ", "))")
    }
    (self.steps, self.results) = (steps, results)
  }

  func run() throws(SDError) {
    if let stop = Interruption.error { throw stop }
    if profile != nil || Debug.checksNaN {
      for index in steps.indices {
        if let profile { try measure(index, profile) } else { try launch(index) }
        if Debug.checksNaN { try checkNumbers(index) }
      }
      return
    }
    if graph == nil {
      graph = try context.record { () throws(SDError) in
        for index in steps.indices { try launch(index) }
      }
    }
    if let graph { return try graph.launch() }
    for index in steps.indices { try launch(index) }
  }

  func finish() throws(SDError) { try context.synchronize() }

  private func launch(_ index: Int) throws(SDError) {
    for launch in steps[index] { try context.launch(launch) }
  }

  /// Runs a step several times, as one is too short for the clock. Programs that are profiled destroy nothing that they
  /// read (`lower(_:with:inPlace:)`).
  private func measure(_ index: Int, _ profile: Profile) throws(SDError) {
    let times = 5
    let (start, end) = (try CUDAEvent(context), try CUDAEvent(context))
    try launch(index)
    try start.record()
    for _ in 0..<times { try launch(index) }
    try end.record()
    try end.wait()
    profile.add(program, step: index, seconds: try end.milliseconds(since: start) / 1e3 / Double(times))
  }

  private func checkNumbers(_ index: Int) throws(SDError) {
    for view in results[index] where view.type.dtype.isFloat {
      // Results are dense.
      let staged = try TensorStorage(view.type)
      try context.download(from: view.address, into: staged.memory.bytes)
      if staged.read().contains(where: \.isNaN) { throw program.notANumber(step: index) }
    }
  }
}
