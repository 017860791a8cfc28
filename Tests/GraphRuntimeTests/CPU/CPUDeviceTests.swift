import GraphIR
import GraphRuntime
import TestSupport
import Testing

/// Whole programs: lowering, views, memory plan and kernels together, against the interpreter.
@Suite struct CPUDeviceTests {
  @Test(arguments: [0, 100, 200, 300]) func randomGraphs(first: Int) throws {
    for seed in first..<first + 100 {
      try checkRandomGraph(seed: UInt64(seed)) { (graph, inputs, parameters) throws(SDError) in
        try run(graph, inputs, parameters: parameters)
      }
    }
  }

  /// Ids are read densely, also where they are some columns of a wider tensor.
  @Test func idsThatAreAView() throws {
    let builder = GraphBuilder(name: "g")
    let table = try builder.input("table", TensorType(.f32, [5, 2]))
    let ids = try builder.input("ids", TensorType(.i32, [2, 4]))
    try builder.output("out", table.gather(ids.sliced(1..<3)))
    let inputs = [
      "table": Tensor([5, 2], (0..<10).map { Float($0) }),
      "ids": Tensor(TensorType(.i32, [2, 4]), [0, 1, 2, 0, 0, 3, 4, 0]),
    ]
    #expect(try run(builder.graph, inputs)["out"] == Tensor([2, 2, 2], [2, 3, 4, 5, 6, 7, 8, 9]))
  }

  /// Statistics, too.
  @Test func statisticsThatAreAView() throws {
    let builder = GraphBuilder(name: "g")
    let x = try builder.input("x", TensorType(.f32, [1, 3, 2]))
    let statistics = try builder.input("statistics", TensorType(.f32, [1, 1, 2, 3]))
    let (gamma, beta) = (try builder.constant([2], [1, 1]), try builder.constant([2], [0, 0]))
    try builder.output(
      "out", x.normalize(statistics.sliced(0..<2), gamma, beta, groups: 2, eps: 0, activation: nil))
    let inputs = [
      "x": Tensor([1, 3, 2], [1, 10, 2, 20, 3, 30]),
      "statistics": Tensor([1, 1, 2, 3], [2, 3, 99, 20, 300, 99]),
    ]
    let expected = Tensor([1, 3, 2], [-1, -1, 0, 0, 1, 1])
    expectClose(try #require(try run(builder.graph, inputs)["out"]), expected)
  }

  private func run(
    _ graph: Graph, _ inputs: [String: Tensor],
    parameters: @escaping @Sendable (Parameter) -> Tensor = { Tensor($0.type, []) }
  ) throws(SDError) -> [String: Tensor] {
    try TestSupport.run(
      graph, on: CPUDevice(threads: 2), inputs,
      fill: { arena in for index in arena.bytes.indices { arena.bytes[index] = 0xFF } }, parameters: parameters)
  }
}
