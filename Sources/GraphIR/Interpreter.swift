/// Evaluates any graph through the meanings of its ops alone, slowly and in Float32: the oracle of passes and kernels.
///
/// A composite op is evaluated through its decomposition in Float32; what a node stores is rounded to the type
/// that the graph declares, so 16-bit graphs mean "16-bit storage, Float32 arithmetic".
public struct Interpreter: Sendable {
  /// An interpreter; it has no settings.
  public init() {}

  /// The outputs of a graph, by name.
  ///
  /// - Parameters:
  ///   - inputs: a tensor for every input, by name, of the declared shape.
  ///   - parameters: the tensor of a checkpoint name; called once for each parameter that an output needs.
  /// - Throws: `SDError` for a missing or ill-shaped input, and what `parameters` or an op throws.
  public func run(
    _ graph: Graph, inputs: [String: Tensor],
    parameters: (Parameter) throws(SDError) -> Tensor = Interpreter.noParameters
  ) throws(SDError) -> [String: Tensor] {
    var results: [String: Tensor] = [:]
    let values = try evaluate(graph, graph.outputs.map(\.value)) { (op: any Op) throws(SDError) -> Tensor? in
      if let input = op as? Input { return try Interpreter.bind(input, inputs) }
      if let parameter = op as? Parameter { return try parameters(parameter) }
      return nil
    }
    for (output, value) in zip(graph.outputs, values) { results[output.name] = value }
    return results
  }

  /// Refuses every parameter; for graphs that have none.
  public static func noParameters(_ parameter: Parameter) throws(SDError) -> Tensor {
    throw SDError(.invalid, "no tensor for parameter '\(parameter.name)'")
  }

  static func bind(_ input: Input, _ inputs: [String: Tensor]) throws(SDError) -> Tensor {
    guard let tensor = inputs[input.name] else {
      throw SDError(.usage, "no tensor for input '\(input.name)' \(input.type)")
    }
    guard tensor.shape == input.type.shape else {
      throw SDError(.usage, "input '\(input.name)' must be \(input.type), it is \(tensor.type)")
    }
    return tensor.cast(to: input.type.dtype)
  }

  private func evaluate(
    _ graph: Graph, _ wanted: [ValueID], leaf: (any Op) throws(SDError) -> Tensor?
  ) throws(SDError) -> [Tensor] {
    let live = graph.liveness()
    var uses = graph.useCounts()
    var results = [[Tensor]](repeating: [], count: graph.nodes.count)
    for id in graph.ids where live[id.index] {
      let node = graph[id]
      if let tensor = try leaf(node.op) {
        results[id.index] = [tensor]
        continue
      }
      let operands = node.operands.map { results[$0.node.index][$0.result] }
      results[id.index] = zip(try evaluate(node.op, operands), node.types).map { $0.cast(to: $1.dtype) }
      for operand in node.operands {
        uses[operand.node.index] -= 1
        if uses[operand.node.index] == 0 { results[operand.node.index] = [] }
      }
    }
    return wanted.map { results[$0.node.index][$0.result] }
  }

  /// The results of one op on tensors, in Float32.
  ///
  /// - Throws: `SDError` from the op.
  public func evaluate(_ op: any Op, _ operands: [Tensor]) throws(SDError) -> [Tensor] {
    if let primitive = op as? any PrimitiveOp { return try primitive.evaluate(operands) }
    guard let composite = op as? any CompositeOp else {
      throw SDError(.incompatible, "[\(type(of: op).id)] has neither an evaluation nor a decomposition")
    }
    let builder = GraphBuilder(name: "\(type(of: op).id)")
    var arguments: [Value] = []
    for (index, operand) in operands.enumerated() {
      let type = operand.type.dtype.isFloat ? operand.type.with(.f32) : operand.type
      arguments.append(try builder.input("\(index)", type))
    }
    let results = try composite.decompose(arguments)
    return try evaluate(builder.graph, results.map(\.id), wanted: operands)
  }

  private func evaluate(
    _ graph: Graph, _ results: [ValueID], wanted operands: [Tensor]
  ) throws(SDError) -> [Tensor] {
    var graph = graph
    for (index, value) in results.enumerated() { try graph.addOutput("\(index)", value) }
    let inputs = Dictionary(uniqueKeysWithValues: operands.enumerated().map { ("\($0)", $1) })
    return try evaluate(graph, results) { (op: any Op) throws(SDError) -> Tensor? in
      guard let input = op as? Input else { return nil }
      return try Interpreter.bind(input, inputs)
    }
  }
}
