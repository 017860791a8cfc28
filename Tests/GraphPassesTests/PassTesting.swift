import GraphIR
import GraphPasses
import Testing

/// The graph of what `body` puts into a builder; its result is the output `y`.
func makeGraph(_ name: String = "g", _ body: (GraphBuilder) throws -> Value) throws -> Graph {
  let builder = GraphBuilder(name: name)
  try builder.output("y", try body(builder))
  return builder.graph
}

extension GraphBuilder {
  /// A float32 input.
  func x(_ shape: [Int], _ name: String = "x", rate: Rate = .step) throws -> Value {
    try input(name, TensorType(.f32, shape), rate: rate)
  }
}

extension Graph {
  /// How often an op occurs.
  func count(_ name: String) -> Int { opCounts()["sd.\(name)"] ?? 0 }

  /// The only op of a type.
  func only<O: Op>(_ type: O.Type) throws -> O {
    let found = nodes.compactMap { $0.op as? O }
    #expect(found.count == 1, "\(O.id)")
    return try #require(found.first)
  }
}

/// Runs passes, and checks that the verifier accepts each result, that each computes the same, and that each saves what
/// it predicts.
func apply(_ passes: any Pass..., to graph: Graph) throws -> Graph {
  var options = PassOptions()
  options.check = true
  var manager = try PassManager(options, passes: [])
  let result = try manager.run(passes, on: graph)
  for entry in manager.report.entries {
    #expect(entry.predicted == nil || entry.predicted == entry.got, "\(entry.pass)")
  }
  return result
}

/// Checks that a pass leaves a graph as it is.
func expectUnchanged(_ graph: Graph, by passes: any Pass...) throws {
  for pass in passes {
    let after = try apply(pass, to: graph)
    let pruned = try graph.pruned()
    #expect(after == pruned, "\(after.opCounts())")
  }
}
