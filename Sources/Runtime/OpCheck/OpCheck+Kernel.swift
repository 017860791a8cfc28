import GraphIR

extension OpCheck {
  /// Runs the kernel for a case on dense operands, on views and on operands with a NaN.
  func checkKernel(_ meaning: Meaning, on cpu: CPU, _ report: inout Report) throws(SDError) {
    let operands = meaning.operands
    let signature = KernelSignature(
      operands: operands.map(\.type), results: meaning.types, isWeight: operands.indices.map(weights.contains))
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
    }
    for index in operands.indices where !weights.contains(index) {
      try checkNaN(in: index, meaning, kernel, subject)
    }
  }

  private func checkLayouts(
    _ kernel: CPUKernel, _ types: [TensorType], _ subject: String
  ) throws(SDError) {
    for (index, layout) in kernel.weightLayouts.sorted(by: { $0.key < $1.key }) {
      guard weights.contains(index), types.indices.contains(index), layout.accepts(types[index]) else {
        throw SDError(
          .device, "\(subject) wants operand \(index) in the layout \(layout.rawValue), which only weights of other "
            + "types can have")
      }
    }
  }

  /// Where the meaning of a NaN is a NaN, the kernel has one as well; and it has none elsewhere.
  private func checkNaN(
    in index: Int, _ meaning: Meaning, _ kernel: CPUKernel, _ subject: String
  ) throws(SDError) {
    var operands = meaning.operands
    guard operands[index].type.dtype.isFloat, !operands[index].values.isEmpty else { return }
    operands[index].values[operands[index].values.count / 2] = .nan
    let trial = try KernelTrial(kernel, subject, operands, meaning.types, weights: weights, gap: 0)
    let results = try zip(trial.runParts(), meaning.results(of: operands))
    for (number, (given, wanted)) in results.enumerated() {
      for (position, (a, b)) in zip(given.values, wanted.values).enumerated() where a.isNaN && !b.isNaN {
        throw SDError(
          .numerics, "\(subject): a NaN in operand \(index) reaches result \(number) at "
            + "\(given.index(of: position)), in the meaning it does not")
      }
      guard !wanted.values.contains(where: \.isNaN) || given.values.contains(where: \.isNaN) else {
        throw SDError(.numerics, "\(subject): a NaN in operand \(index) vanishes from result \(number)")
      }
    }
  }
}
