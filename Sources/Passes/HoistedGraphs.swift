public import GraphIR

/// One graph cut by how often its parts have to run.
///
/// A value that crosses a border is an output `hoisted.<location>` of the graph that computes it and an `Input` of
/// that name, with that graph's rate, of the graphs that read it.
public struct HoistedGraphs: Sendable, GraphParts {
  /// Runs once a prompt; nil when nothing depends on the prompt alone.
  public var prompt: Graph?
  /// Runs once a schedule, after `prompt`; nil when nothing depends on the schedule alone.
  public var schedule: Graph?
  /// Runs at every step and has the outputs of the whole.
  public var step: Graph

  /// Three graphs that belong together.
  public init(prompt: Graph? = nil, schedule: Graph? = nil, step: Graph) {
    (self.prompt, self.schedule, self.step) = (prompt, schedule, step)
  }

  /// The graph of a rate; nothing runs at a constant rate.
  package subscript(rate: Rate) -> Graph? {
    get {
      switch rate {
      case .constant: nil
      case .prompt: prompt
      case .schedule: schedule
      case .step: step
      }
    }
    set {
      switch rate {
      case .constant: break
      case .prompt: prompt = newValue
      case .schedule: schedule = newValue
      case .step: if let newValue { step = newValue }
      }
    }
  }

  /// The graphs that there are, with their rates, in the order in which they run.
  public var all: [(rate: Rate, graph: Graph)] {
    Rate.allCases.compactMap { rate in self[rate].map { (rate, $0) } }
  }

  package var parts: [Graph] { all.map(\.graph) }

  /// The single graph that was cut: every border value is again computed where it is read.
  ///
  /// - Throws: `SDError` when the graphs do not fit together.
  package func joined() throws(SDError) -> Graph {
    let builder = GraphBuilder(name: step.name)
    var values: [String: Value] = [:]
    for (rate, graph) in all {
      let copy = GraphCopy(of: graph, into: builder)
      for (id, input) in graph.inputs {
        if let value = values[input.name] { copy.replace(id, by: [value]) }
      }
      try copy.copyLiveNodes()
      for output in graph.outputs {
        let value = try copy.value(output.value)
        if rate == .step { try builder.output(output.name, value) } else { values[output.name] = value }
      }
    }
    return try builder.graph.pruned()
  }
}

/// A weight that is computed from checkpoint tensors when the plan is made: a cast, a concatenation.
public struct DerivedWeight: Sendable {
  /// The name of the `Parameter` that stands for it. Equal expressions have equal names, in any graph.
  public var name: String
  /// How it is computed: the parameters are checkpoint tensors, the only output is `value`.
  public var graph: Graph
  /// Its element type and shape.
  public var type: TensorType
}
