import GraphIR

/// One case of a check: random operands and what the op's meaning makes of them.
struct Meaning {
  let op: any Op
  /// `[lab.film] (f16[2, 5, 33], f16[33], f16[33])`, as messages begin.
  let subject: String
  let operands: [Tensor]
  /// The result types that the type rule gives.
  let types: [TensorType]
  /// The results in those types.
  let results: [Tensor]
  private let tolerance: Double

  /// Draws operands and evaluates the op.
  init(_ check: OpCheck, _ operandTypes: [TensorType]) throws(SDError) {
    op = check.op
    subject = "[\(type(of: check.op).id)] (\(operandTypes.map(\.description).joined(separator: ", ")))"
    types = try op.types(of: operandTypes)
    operands = operandTypes.enumerated().map { index, type in
      let range = check.ranges[index] ?? (type.dtype.isFloat ? -1...1 : 0...0)
      return Tensor(random: type, in: range, seed: UInt64(index + 1))
    }
    tolerance = check.tolerance[.f32] ?? 1e-10
    results = try Meaning.evaluate(op, operands, types, subject)
  }

  /// Operands with one NaN, and what the meaning makes of them.
  struct Poisoned {
    /// Which operand has it.
    let index: Int
    let operands: [Tensor]
    let results: [Tensor]
  }

  /// For every floating-point operand but some, the case with a NaN in the middle of it.
  func poisoned(except weights: Set<Int>) throws(SDError) -> [Poisoned] {
    var cases: [Poisoned] = []
    for (index, operand) in operands.enumerated() where !weights.contains(index) && operand.type.dtype.isFloat {
      guard !operand.values.isEmpty else { continue }
      var operands = operands
      operands[index].values[operand.values.count / 2] = .nan
      cases.append(
        Poisoned(
          index: index, operands: operands, results: try Meaning.evaluate(op, operands, types, subject)))
    }
    return cases
  }

  private static func evaluate(
    _ op: any Op, _ operands: [Tensor], _ types: [TensorType], _ subject: String
  ) throws(SDError) -> [Tensor] {
    let results = try Interpreter().evaluate(op, operands)
    guard results.map(\.shape) == types.map(\.shape) else {
      let given = results.map { "\($0.shape)" }.joined(separator: ", ")
      let ruled = types.map { "\($0.shape)" }.joined(separator: ", ")
      throw SDError(.invalid, "\(subject): the meaning has shape \(given), the type rule gives \(ruled)")
    }
    return zip(results, types).map { $0.cast(to: $1.dtype) }
  }

  /// Checks all that needs no kernel.
  func check() throws(SDError) {
    try checkText()
    try checkDecomposition()
    if op.isRowwise { try checkRows() }
  }

  /// Print and parse, with the op registered and, for an op from outside, without it.
  private func checkText() throws(SDError) {
    let graph = try graph { (builder, operands) throws(SDError) in try builder.results(of: op, operands) }
    var registry = OpRegistry.standard
    try registry.register(type(of: op))
    let text = GraphText.print(graph)
    guard try GraphText.parse(text, registry: registry) == graph else {
      throw SDError(.invalid, "\(subject): differs after it was printed and parsed:\n\(text)")
    }
    guard op is any CompositeOp, !OpRegistry.standard.contains(op) else { return }
    let stored = try GraphText.fallbacks(for: graph, base: .standard)
    let fallbacks = Dictionary(uniqueKeysWithValues: stored.map { ($0.call, $0.graph) })
    try compare(GraphText.parse(text, registry: .standard, fallbacks: fallbacks), "its stored decomposition")
  }

  /// The decomposition in place of the op; where the op has an evaluation too, that one is the meaning.
  private func checkDecomposition() throws(SDError) {
    guard let composite = op as? any CompositeOp else { return }
    let graph = try graph { (builder, operands) throws(SDError) in
      try builder.inlineDecomposition(of: composite, operands, resultTypes: types)
    }
    if op is any PrimitiveOp { try compare(graph, "its decomposition") }
  }

  /// The last row of operand 0 alone gives the last row of the results.
  private func checkRows() throws(SDError) {
    guard let first = operands.first, let count = first.shape.first, count > 1 else { return }
    let row = [first.row(count - 1)] + operands.dropFirst()
    let wanted = results.map { $0.shape.first == count ? $0.row(count - 1) : $0 }
    // Rows that broadcast against another operand are not rows of the result.
    guard let types = try? op.types(of: row.map(\.type)), types == wanted.map(\.type) else { return }
    let alone = try Meaning.evaluate(op, row, types, subject)
    for (index, (a, b)) in zip(alone, wanted).enumerated() where a != b {
      throw SDError(
        .invalid,
        "\(subject): says that it is row-wise, but row \(count - 1) of result \(index) depends on other rows")
    }
  }

  /// A graph of the operands as inputs `0`, `1`, … whose outputs `0`, `1`, … are what `build` makes of them.
  private func graph(
    _ build: (GraphBuilder, [Value]) throws(SDError) -> [Value]
  ) throws(SDError) -> Graph {
    let builder = GraphBuilder(name: "check")
    var inputs: [Value] = []
    for (index, operand) in operands.enumerated() {
      inputs.append(try builder.input("\(index)", operand.type))
    }
    for (index, result) in try build(builder, inputs).enumerated() { try builder.output("\(index)", result) }
    return builder.graph
  }

  private func compare(_ graph: Graph, _ what: String) throws(SDError) {
    let inputs = Dictionary(uniqueKeysWithValues: operands.enumerated().map { ("\($0)", $1) })
    let outputs = try Interpreter().run(graph, inputs: inputs)
    for (index, result) in results.enumerated() {
      guard let output = outputs["\(index)"] else { continue }
      let difference = Difference(output, result)
      guard difference.error <= tolerance else {
        throw SDError(
          .invalid, "\(subject): \(what) differs: \(difference.sentence(result: index, limit: tolerance))")
      }
    }
  }
}
