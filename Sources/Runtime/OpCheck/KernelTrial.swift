import GraphIR

/// A kernel bound to memory that shows what it touches.
struct KernelTrial {
  private let kernel: CPUKernel
  private let subject: String
  private let body: CPUKernel.Body
  private let operands: [GuardedTensor]
  private let contents: [[UInt8]]
  /// What the parts computed, each on its own.
  private let results: [GuardedTensor]
  /// What is being computed.
  private let outputs: [GuardedTensor]

  /// Binds a kernel; operands that may be views become views with gaps of so many elements between their rows.
  init(
    _ kernel: CPUKernel, _ subject: String, _ operands: [Tensor], _ results: [TensorType], weights: Set<Int>,
    gap: Int
  ) throws(SDError) {
    (self.kernel, self.subject) = (kernel, subject)
    self.operands = operands.enumerated().map { index, operand in
      let isDense = weights.contains(index) || kernel.denseOperands.contains(index)
      return GuardedTensor(operand, layout: kernel.weightLayouts[index] ?? .dense, gap: isDense ? 0 : gap)
    }
    contents = self.operands.map(\.bytes)
    self.results = results.map { GuardedTensor($0) }
    outputs = results.map { GuardedTensor($0) }
    body = try kernel.bind(KernelTensors(operands: self.operands.map(\.view), results: outputs.map(\.view)))
  }

  /// Runs the parts one by one, the last one first, each from blank memory; returns what they computed together.
  ///
  /// - Throws: `SDError` (device) for an element that no part or more than one writes, and for writes elsewhere.
  func runParts() throws(SDError) -> [Tensor] {
    let scratch = GuardedMemory(byteCount: kernel.scratchBytes, GuardedMemory.nan)
    var writers = outputs.map { [Int?](repeating: nil, count: $0.view.type.count) }
    for part in (0..<kernel.parts).reversed() {
      for output in outputs { output.fill() }
      scratch.fill()
      body(part, scratch.base)
      try checkMemory([scratch], "part \(part)")
      for (number, output) in outputs.enumerated() {
        for element in 0..<output.view.type.count where !output.isBlank(element) {
          if let other = writers[number][element] {
            throw fault("parts \(other) and \(part) both write \(place(element, number))")
          }
          writers[number][element] = part
          results[number].copy(element, from: output)
        }
      }
    }
    for (number, writers) in writers.enumerated() {
      if let element = writers.firstIndex(of: nil) { throw fault("no part writes \(place(element, number))") }
    }
    return results.map(\.tensor)
  }

  /// Runs all parts on some threads and compares with what `runParts` returned.
  ///
  /// - Throws: `SDError` (numerics) for other bits, (device) for writes where nothing is to be written.
  func run(threads: Int) throws(SDError) {
    let scratch = (0..<threads).map { _ in GuardedMemory(byteCount: kernel.scratchBytes, GuardedMemory.nan) }
    for output in outputs { output.fill() }
    parallel(threads: threads, parts: kernel.parts) { [body] part, thread in body(part, scratch[thread].base)
    }
    try checkMemory(scratch, "\(threads) thread\(threads == 1 ? "" : "s")")
    for (number, (output, result)) in zip(outputs, results).enumerated() {
      guard let element = output.firstDifference(from: result) else { continue }
      let (given, alone) = (output.tensor.values[element], result.tensor.values[element])
      throw SDError(
        .numerics,
        "\(subject): \(place(element, number)) is \(given) on \(threads) thread\(threads == 1 ? "" : "s"), "
          + "\(alone) when its part runs alone")
    }
  }

  /// Runs all parts with the first result written over an operand and compares with what `runParts` returned.
  ///
  /// - Throws: `SDError` (numerics) for other bits, (device) for writes where nothing is to be written.
  func run(over index: Int) throws(SDError) {
    let parts = Array(0..<kernel.parts)
    for order in [parts, parts.reversed()] { try run(order, over: index) }
  }

  private func run(_ order: [Int], over index: Int) throws(SDError) {
    let both = GuardedTensor(operands[index].tensor)
    var (reads, writes) = (operands.map(\.view), outputs.map(\.view))
    (reads[index], writes[0]) = (both.view, both.view)
    let body = try kernel.bind(KernelTensors(operands: reads, results: writes))
    let scratch = GuardedMemory(byteCount: kernel.scratchBytes, GuardedMemory.nan)
    for part in order { body(part, scratch.base) }
    let what = "its result written over operand \(index)"
    try checkMemory([scratch], what)
    guard both.isIntact else { throw fault("\(what) goes beyond it") }
    guard let element = both.firstDifference(from: results[0]) else { return }
    let (given, alone) = (both.tensor.values[element], results[0].tensor.values[element])
    throw SDError(
      .numerics, "\(subject): \(place(element, 0)) is \(given) written over operand \(index), \(alone) elsewhere")
  }

  private func checkMemory(_ scratch: [GuardedMemory], _ who: String) throws(SDError) {
    for (number, output) in outputs.enumerated() where !output.isIntact {
      throw fault("\(who) writes outside of result \(number)")
    }
    for memory in scratch where !memory.isIntact {
      throw fault("\(who) writes outside of the \(kernel.scratchBytes) bytes of scratch memory")
    }
    for (number, operand) in operands.enumerated()
    where !operand.isIntact || operand.bytes != contents[number] {
      throw fault("\(who) changes operand \(number)")
    }
  }

  private func place(_ element: Int, _ result: Int) -> String {
    "result \(result) at \(results[result].tensor.index(of: element))"
  }

  private func fault(_ message: String) -> SDError { SDError(.device, "\(subject): \(message)") }
}
