package import GraphIR
package import Testing

/// The value that `build` makes of inputs, computed by the interpreter: `evaluate(x, y) { try $0[0].adding($0[1]) }`.
package func evaluate(
  _ operands: Tensor..., build: ([Value]) throws(SDError) -> Value
) throws(SDError) -> Tensor {
  let graph = try makeGraph(operands.map(\.type), build)
  let inputs = Dictionary(uniqueKeysWithValues: operands.enumerated().map { ("\($0)", $1) })
  guard let result = try Interpreter().run(graph, inputs: inputs)["out"] else {
    throw SDError(.invalid, "no output")
  }
  return result
}

/// The type of the value that `build` makes of inputs of these types.
package func resultType(
  _ operands: TensorType..., build: ([Value]) throws(SDError) -> Value
) throws(SDError) -> TensorType {
  let graph = try makeGraph(operands, build)
  return graph.type(of: graph.outputs[0].value)
}

/// Expects a type rule to refuse inputs of these types with this sentence.
package func expectReject(
  _ operands: TensorType..., sentence: String, sourceLocation: SourceLocation = #_sourceLocation,
  build: ([Value]) throws(SDError) -> Value
) {
  expectError(.invalid, "\(sentence), at 'test'", sourceLocation: sourceLocation) {
    try makeGraph(operands, build)
  }
}

/// A graph with inputs `0`, `1`, … and one output `out`; its location is `test`.
package func makeGraph(
  _ operands: [TensorType], _ build: ([Value]) throws(SDError) -> Value
) throws(SDError) -> Graph {
  let builder = GraphBuilder(name: "test")
  var values: [Value] = []
  for (index, type) in operands.enumerated() { values.append(try builder.input("\(index)", type)) }
  try builder.output("out", build(values))
  return builder.graph
}
