package import GraphIR

/// Checks a program without trusting who made it: the translation validation of lowering and memory planning.
///
/// P1: every buffer lies inside the arena, aligned. P2: no two buffers overlap while both live, but for one that is
/// written over another by a kernel that can do so. P3: every read of a buffer comes after the step that writes it and
/// within its lifetime. P4: operands stay inside their place.
package struct ProgramVerifier: Sendable {
  /// A verifier; it has no settings.
  package init() {}

  /// Checks all rules.
  ///
  /// - Throws: `SDError` (invalid) that names the rule and the step or buffer.
  package func verify(_ program: Program) throws(SDError) {
    for (index, buffer) in program.buffers.enumerated() {
      guard buffer.offset >= 0, buffer.offset % MemoryPlanner.alignment == 0,
        buffer.offset + buffer.byteCount <= program.arenaBytes
      else { throw fault(program, "P1: buffer \(index) lies outside the arena of \(program.arenaBytes) bytes") }
    }
    try checkOverlaps(program)
    for (index, step) in program.steps.enumerated() {
      for operand in step.operands { try check(operand, at: index, isRead: true, program, step) }
      for result in step.results { try check(result, at: index, isRead: false, program, step) }
    }
  }

  private func checkOverlaps(_ program: Program) throws(SDError) {
    // What has no bytes overlaps nothing.
    let order = program.buffers.indices.filter { program.buffers[$0].byteCount > 0 }.sorted {
      program.buffers[$0].offset < program.buffers[$1].offset
    }
    for (position, a) in order.enumerated() {
      let left = program.buffers[a]
      for b in order[(position + 1)...] {
        let right = program.buffers[b]
        if right.offset >= left.offset + left.byteCount { break }
        if left.first <= right.last, right.first <= left.last, !isInPlace(program, a, b), !isInPlace(program, b, a) {
          throw fault(program, "P2: buffers \(a) and \(b) overlap while both live")
        }
      }
    }
  }

  private func isInPlace(_ program: Program, _ old: Int, _ new: Int) -> Bool {
    program.buffers[new].replaces == old && program.buffers[new].offset == program.buffers[old].offset
      && program.canReplace(old, by: new)
  }

  private func check(
    _ operand: Program.Operand, at index: Int, isRead: Bool, _ program: Program, _ step: Program.Step
  ) throws(SDError) {
    let limit: Int
    switch operand.place {
    case .buffer(let number):
      let buffer = program.buffers[number]
      guard isRead ? buffer.first < index && index <= buffer.last : buffer.first == index else {
        throw fault(program, "P3: step \(index) '\(step.location)' uses buffer \(number) outside its lifetime")
      }
      limit = buffer.byteCount
    case .weight(let number):
      let weight = program.weights[number]
      // Elements of a packed weight have no place of their own: a step takes the whole of it.
      limit = weight.layout == .dense ? weight.type.byteCount : operand.byteSpan
    case .constant(let number): limit = program.constants[number].type.byteCount
    case .input(let number): limit = program.inputs[number].type.byteCount
    case .output(let number): limit = program.outputs[number].type.byteCount
    }
    guard operand.offset >= 0, operand.offset + operand.byteSpan <= limit else {
      throw fault(program, "P4: step \(index) '\(step.location)' reaches outside its operand \(operand.type)")
    }
  }

  private func fault(_ program: Program, _ message: String) -> SDError {
    SDError(.invalid, "program '\(program.graph.name)': \(message)")
  }
}
