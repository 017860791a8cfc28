public import GraphIR

/// Cuts a graph by rate: what depends on the prompt alone runs once a prompt, what depends on the schedule alone
/// once a schedule, the rest at every step. Exact.
///
/// Parameters, constants and what is computed from these alone are repeated in every graph that reads them; so are
/// reshapes and slices of values that cross a border.
public struct Hoist: Sendable {
  /// `hoist`.
  public static let name = "hoist"

  /// The cut; it has no settings.
  public init() {}

  /// What does not depend on the step leaves it.
  func prediction(for graph: Graph) -> Work? { graph.work(inStep: false) }

  /// The graphs that compute together what `graph` computes. The part of the highest rate is the step.
  ///
  /// - Throws: `SDError` from type rules.
  public func run(_ graph: Graph) throws(SDError) -> HoistedGraphs {
    let graph = try graph.pruned()
    let cut = Cut(graph)
    guard let top = cut.rates.max(), top > .constant else { return HoistedGraphs(step: graph) }
    var result = HoistedGraphs(
      step: try cut.part(top, name: graph.name, outputs: graph.outputs.map { ($0.name, $0.value) }))
    // Downwards, so that a part is known in full before what it reads is computed.
    for rate in Rate.allCases.reversed() where rate < top {
      let outputs = cut.outputs(of: rate)
      if outputs.isEmpty { continue }
      result[rate] = try cut.part(rate, name: "\(graph.name).\(rate.rawValue)", outputs: outputs)
    }
    return result
  }
}

/// A graph, and the values that were found to cross a border.
private final class Cut {
  let graph: Graph
  let rates: [Rate]
  private var names: [NodeID: String] = [:]
  private var taken: Set<String> = []

  init(_ graph: Graph) {
    self.graph = graph
    rates = graph.rates()
  }

  /// The part of one rate that computes some outputs; values of lower rates become its inputs.
  func part(_ rate: Rate, name: String, outputs: [(name: String, value: ValueID)]) throws(SDError) -> Graph {
    let copy = GraphCopy(of: graph, into: GraphBuilder(name: name))
    for id in graph.ids where rates[id.index] == rate {
      for operand in graph[id].operands { try cross(operand, into: rate, copy) }
      _ = try copy.value(ValueID(id))
    }
    for output in outputs {
      try cross(output.value, into: rate, copy)
      try copy.builder.output(output.name, try copy.value(output.value))
    }
    return try copy.builder.graph.pruned()
  }

  /// The values of a rate that parts of higher rates read, in order of definition.
  func outputs(of rate: Rate) -> [(name: String, value: ValueID)] {
    names.keys.filter { rates[$0.index] == rate }.sorted().flatMap { id in
      graph[id].types.indices.map { (name(id, $0), ValueID(id, $0)) }
    }
  }

  /// Puts an input in the place of a value that a lower rate computes.
  private func cross(_ value: ValueID, into rate: Rate, _ copy: GraphCopy) throws(SDError) {
    let source = viewed(value)
    let lower = rates[source.index]
    guard lower > .constant, lower < rate, !(graph[source].op is Input) else { return }
    let node = graph[source]
    if names[source] == nil { names[source] = unusedName(node.location) }
    var inputs: [Value] = []
    for (index, type) in node.types.enumerated() {
      inputs.append(try copy.builder.input(name(source, index), type, rate: lower))
    }
    copy.replace(source, by: inputs)
  }

  /// The node whose result this is when reshapes and slices are taken off.
  private func viewed(_ value: ValueID) -> NodeID {
    let node = graph[value.node]
    return node.op is Reshape || node.op is Slice ? viewed(node.operands[0]) : value.node
  }

  private func unusedName(_ location: String) -> String {
    var name = "hoisted.\(location)"
    var count = 1
    while !taken.insert(name).inserted {
      count += 1
      name = "hoisted.\(location).\(count)"
    }
    return name
  }

  private func name(_ id: NodeID, _ result: Int) -> String {
    let name = names[id] ?? ""
    return result == 0 ? name : "\(name):\(result)"
  }
}
