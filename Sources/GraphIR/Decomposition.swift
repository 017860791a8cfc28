extension TensorType {
  /// The type in which meanings are computed: float32 for floating-point types, integers as they are.
  package var float32: TensorType { dtype.isFloat ? with(.f32) : self }
}

extension GraphBuilder {
  /// Puts an op's decomposition into the graph in place of the op.
  ///
  /// Floating-point operands are cast to float32 first and the results to the element types of `resultTypes`, so that
  /// it computes what the interpreter computes for the op.
  ///
  /// - Throws: `SDError` from the decomposition, or when its results have other shapes than `resultTypes`.
  package func inlineDecomposition(
    of op: any CompositeOp, _ operands: [Value], resultTypes: [TensorType]
  ) throws(SDError) -> [Value] {
    try cast(decompose(op, float32(operands)), to: resultTypes, "\(type(of: op).id)")
  }

  /// Puts a graph with inputs `0`, `1`, … and outputs `0`, `1`, … into this one, with casts as above.
  ///
  /// - Throws: `SDError` when inputs or outputs do not fit the operands or `resultTypes`.
  package func inline(
    _ graph: Graph, _ operands: [Value], resultTypes: [TensorType]
  ) throws(SDError) -> [Value] {
    let values = try replay(graph, operands) { (node, operands) throws(SDError) in
      try results(of: node.op, operands)
    }
    var outputs: [String: Value] = [:]
    for output in graph.outputs {
      outputs[output.name] = values?[output.value.node.index][output.value.result]
    }
    return try cast(resultTypes.indices.compactMap { outputs["\($0)"] }, to: resultTypes, graph.name)
  }

  /// Puts an op into the graph by ops of `base` alone; nil when an op without a decomposition is in the way.
  ///
  /// - Throws: `SDError` from a decomposition, or when it never ends.
  package func expand(
    _ op: any Op, _ operands: [Value], resultTypes: [TensorType], into base: OpRegistry, depth: Int = 0
  ) throws(SDError) -> [Value]? {
    if base.contains(op) { return try results(of: op, operands) }
    guard let composite = op as? any CompositeOp else { return nil }
    let name = "\(type(of: op).id)"
    guard depth < 32 else { throw SDError(.invalid, "[\(name)] decomposes into itself") }
    let builder = GraphBuilder(name: name)
    var inputs: [Value] = []
    for (index, operand) in operands.enumerated() {
      inputs.append(try builder.input("\(index)", operand.type.float32))
    }
    let decomposed = try builder.decompose(composite, inputs).map(\.id)
    let values = try replay(builder.graph, operands) { (node, operands) throws(SDError) in
      try expand(node.op, operands, resultTypes: node.types, into: base, depth: depth + 1)
    }
    guard let values else { return nil }
    return try cast(decomposed.map { values[$0.node.index][$0.result] }, to: resultTypes, name)
  }

  /// The results of an op's decomposition in this graph.
  private func decompose(_ op: any CompositeOp, _ operands: [Value]) throws(SDError) -> [Value] {
    let results = try op.decompose(operands)
    guard results.allSatisfy({ $0.builder === self }) else {
      throw SDError(.invalid, "[\(type(of: op).id)] decomposes into values of another graph")
    }
    return results
  }

  /// For every node of a graph its values in this one, as `put` makes them; input `i` is operand `i`.
  private func replay(
    _ graph: Graph, _ operands: [Value], _ put: (Graph.Node, [Value]) throws(SDError) -> [Value]?
  ) throws(SDError) -> [[Value]]? {
    let arguments = try float32(operands)
    var values: [[Value]] = []
    for node in graph.nodes {
      if let input = node.op as? Input {
        guard let index = Int(input.name), arguments.indices.contains(index),
          arguments[index].type == input.type
        else {
          throw SDError(.invalid, "graph '\(graph.name)': input '\(input.name)' \(input.type) is no operand")
        }
        values.append([arguments[index]])
      } else {
        let operands = node.operands.map { values[$0.node.index][$0.result] }
        guard let results = try put(node, operands) else { return nil }
        values.append(results)
      }
    }
    return values
  }

  private func float32(_ values: [Value]) throws(SDError) -> [Value] {
    var results: [Value] = []
    for value in values { results.append(try value.type.dtype.isFloat ? value.cast(to: .f32) : value) }
    return results
  }

  /// Results in the declared element types; their shapes must be right already.
  private func cast(_ values: [Value], to types: [TensorType], _ name: String) throws(SDError) -> [Value] {
    guard values.map(\.type.float32) == types.map(\.float32) else {
      let given = values.map(\.type).list
      throw SDError(.invalid, "[\(name)] decomposes into \(given), its type rule gives \(types.list)")
    }
    var results: [Value] = []
    for (value, type) in zip(values, types) { results.append(try value.cast(to: type.dtype)) }
    return results
  }
}
