import GraphIR

extension Program {
  /// Lets results be written over operands that are read for the last time (`Buffer.replaces`).
  mutating func writeInPlace() {
    for (index, step) in steps.enumerated() {
      guard let result = step.results.first, case .buffer(let written) = result.place else { continue }
      let replaceable = step.kernel.inPlaceOperands.sorted().compactMap { buffer(of: $0, step, under: result) }
      buffers[written].replaces = replaceable.first { buffers[$0].last == index }
    }
  }

  /// Whether the step that writes a buffer may write it over another one, which it reads for the last time.
  func canReplace(_ old: Int, by new: Int) -> Bool {
    guard buffers.indices.contains(old), steps.indices.contains(buffers[new].first) else { return false }
    let step = steps[buffers[new].first]
    guard let result = step.results.first, result.place == .buffer(new), buffers[old].last == buffers[new].first else {
      return false
    }
    return step.kernel.inPlaceOperands.contains { buffer(of: $0, step, under: result) == old }
  }

  /// The buffer of an operand, if all of it is that operand, of the type of `result`, and the step reads it once.
  private func buffer(of index: Int, _ step: Step, under result: Operand) -> Int? {
    guard step.operands.indices.contains(index), case .buffer(let number) = step.operands[index].place else {
      return nil
    }
    let operand = step.operands[index]
    guard operand.type == result.type, operand.offset == 0, operand.isDense,
      buffers[number].byteCount == MemoryPlanner.aligned(result.type.byteCount),
      step.operands.count(where: { $0.place == operand.place }) == 1
    else { return nil }
    return number
  }
}
