import GraphIR

extension OpCheck {
  /// Runs the kernel for a case on dense operands, on views and on operands with a NaN.
  func checkKernel(
    _ meaning: Meaning, _ poisoned: [Meaning.Poisoned], on cpu: CPU, _ report: inout Report
  ) throws(SDError) {
    let operands = meaning.operands
    let signature = KernelSignature(
      operands: operands.map(\.type), results: meaning.types, isWeight: operands.indices.map(weights.contains)
    )
    guard let kernel = (op as? any CPULowerable)?.cpuKernel(signature, on: cpu) else {
      throw SDError(
        .incompatible, "\(meaning.subject): has no kernel for these types on \(cpu.level.rawValue)",
        hint: "Leave out the types that have none, and name the operands that are weights.")
    }
    report.kernels.insert(kernel.name)
    let subject = "\(meaning.subject): kernel '\(kernel.name)' on \(cpu.level.rawValue)"
    try checkLayouts(kernel, operands.map(\.type), subject)
    for gap in kernel.acceptsPitch ? [0, 3] : [0] {
      let name = gap == 0 ? subject : "\(subject), reading views"
      let trial = try KernelTrial(kernel, name, operands, meaning.types, weights: weights, gap: gap)
      let given = try trial.runParts()
      for (index, (given, wanted)) in zip(given, meaning.results).enumerated() {
        let (limit, difference) = (tolerance[wanted.type.dtype] ?? 0, Difference(given, wanted))
        report.note(difference.error, wanted.type.dtype)
        guard difference.error <= limit else {
          throw SDError(.numerics, "\(name): \(difference.sentence(result: index, limit: limit))")
        }
      }
      for count in threads { try trial.run(threads: count) }
      for index in kernel.inPlaceOperands.sorted() where gap == 0 && operands[index].type == meaning.types[0] {
        try trial.run(over: index)
      }
    }
    for poisoned in poisoned { try checkNaN(poisoned, kernel, subject) }
  }

  private func checkLayouts(
    _ kernel: CPUKernel, _ types: [TensorType], _ subject: String
  ) throws(SDError) {
    for (index, layout) in kernel.weightLayouts.sorted(by: { $0.key < $1.key }) {
      guard weights.contains(index), types.indices.contains(index), layout.accepts(types[index]) else {
        throw SDError(
          .device,
          "\(subject) wants operand \(index) in the layout \(layout.rawValue), which only weights of other "
            + "types can have")
      }
    }
  }

  /// Where the meaning of a NaN is a NaN, the kernel has one as well; and it has none elsewhere.
  private func checkNaN(
    _ poisoned: Meaning.Poisoned, _ kernel: CPUKernel, _ subject: String
  ) throws(SDError) {
    let types = poisoned.results.map(\.type)
    let trial = try KernelTrial(kernel, subject, poisoned.operands, types, weights: weights, gap: 0)
    for (number, (given, wanted)) in try zip(trial.runParts(), poisoned.results).enumerated() {
      let source = "a NaN in operand \(poisoned.index)"
      for (position, (a, b)) in zip(given.values, wanted.values).enumerated() where a.isNaN && !b.isNaN {
        throw SDError(
          .numerics,
          "\(subject): \(source) reaches result \(number) at \(given.index(of: position)), "
            + "in the meaning it does not")
      }
      guard !wanted.values.contains(where: \.isNaN) || given.values.contains(where: \.isNaN) else {
        throw SDError(.numerics, "\(subject): \(source) vanishes from result \(number)")
      }
    }
  }
}
