public import GraphIR

/// Puts parameters in the place of everything that is computed from parameters and constants alone:
/// `cast(concat(W₁, W₂)) → parameter "W₁+1#3f…"`, whose value is computed when the plan is made.
public struct DeriveWeights: Sendable {
  /// `derive-weights`.
  public static let name = "derive-weights"

  /// The transformation; it has no settings.
  public init() {}

  /// The graph over derived weights, and their definitions in order of first use.
  ///
  /// - Throws: `SDError` from type rules.
  public func run(_ graph: Graph) throws(SDError) -> DerivedGraph {
    let graph = try graph.pruned()
    let rates = graph.rates()
    let copy = GraphCopy(of: graph)
    var weights: [DerivedWeight] = []
    func derive(_ value: ValueID) throws(SDError) {
      let node = graph[value.node]
      guard rates[value.node.index] == .constant, !node.operands.isEmpty, node.types.count == 1 else {
        return
      }
      let weight = try DerivedWeight(value, in: graph)
      guard !weights.contains(where: { $0.name == weight.name }) else { return }
      weights.append(weight)
      let parameter = Parameter(name: weight.name, type: weight.type)
      copy.replace(value.node, by: [try copy.builder.add(parameter, [], at: node.location)])
    }
    for id in graph.ids where rates[id.index] > .constant {
      for operand in graph[id].operands { try derive(operand) }
      _ = try copy.value(ValueID(id))
    }
    for output in graph.outputs { try derive(output.value) }
    return DerivedGraph(graph: try copy.finished(), weights: weights)
  }
}

/// A graph whose parameters are checkpoint tensors or derived weights.
public struct DerivedGraph: Sendable, GraphParts {
  /// The graph.
  public var graph: Graph
  /// How the parameters are computed that the checkpoint does not have.
  public var weights: [DerivedWeight] = []

  /// The graph.
  package var parts: [Graph] { [graph] }
  /// The graph.
  package var step: Graph { graph }

  /// The graph with every derived weight computed in place.
  package func joined() throws(SDError) -> Graph {
    let copy = GraphCopy(of: graph)
    let definitions = Dictionary(uniqueKeysWithValues: weights.map { ($0.name, $0.graph) })
    for (id, parameter) in graph.parameters {
      guard let definition = definitions[parameter.name] else { continue }
      let inlined = GraphCopy(of: definition, into: copy.builder)
      copy.replace(id, by: try inlined.values(definition.outputs.map(\.value)))
    }
    return try copy.finished()
  }
}

extension DerivedWeight {
  /// The definition of a value that depends on parameters and constants alone.
  init(_ value: ValueID, in graph: Graph) throws(SDError) {
    // One location throughout: the text, and with it the name, must not depend on where the weight is used.
    let copy = GraphCopy(of: graph, into: GraphBuilder(name: "weight"), location: "weight")
    try copy.builder.output("value", try copy.value(value))
    self.graph = copy.builder.graph
    type = graph.type(of: value)
    let names = self.graph.parameters.map(\.parameter.name)
    let others = names.count > 1 ? "+\(names.count - 1)" : ""
    let digits = String(GraphText.print(self.graph).utf8.fnv1a, radix: 16)
    let hash = String(repeating: "0", count: 16 - digits.count) + digits
    name = "\(names.first ?? "constant")\(others)#\(hash)"
  }
}
