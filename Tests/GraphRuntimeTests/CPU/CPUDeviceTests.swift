import GraphIR
import GraphRuntime
import TestSupport
import Testing

/// Whole programs: lowering, views, memory plan and kernels together, against the interpreter.
@Suite struct CPUDeviceTests {
  /// Graphs of all ops on random operands. Rounding may grow in them to any size, so what is judged is whether the
  /// right elements are in the right places; how exact kernels are is for their own tests.
  @Test(arguments: [0, 100, 200, 300]) func randomGraphs(first: Int) throws {
    for seed in first..<first + 100 {
      let graph = try RandomGraph.make(seed: UInt64(seed), steps: 24)
      let inputs = RandomGraph.inputs(of: graph, seed: UInt64(seed))
      let expected = try Interpreter().run(graph, inputs: inputs) { RandomGraph.parameter($0, seed: 5) }
      let outputs = try run(graph, inputs) { RandomGraph.parameter($0, seed: 5) }
      for (name, tensor) in expected
      where tensor.values.allSatisfy({ $0.magnitude < 1e4 }) && tensor.values.contains(where: { $0.magnitude > 1e-2 }) {
        let given = try #require(outputs[name])
        let error = nmse(given.values, tensor.values)
        #expect(error <= 1e-4, "seed \(seed), output \(name) \(tensor.type): NMSE \(error)")
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
  ) throws -> [String: Tensor] {
    let device = CPUDevice(threads: 2)
    let program = try lower(graph, with: device.library)
    var bindings: [String: TensorStorage] = [:]
    for binding in program.inputs + program.outputs {
      bindings[binding.name] = try TensorStorage(binding.type)
      if let input = inputs[binding.name] { bindings[binding.name]?.write(input.values) }
    }
    let arena = try HostMemory(byteCount: program.arenaBytes)
    // What a kernel does not write must not pass for a zero.
    for index in arena.bytes.indices { arena.bytes[index] = 0xFF }
    let executable = try device.prepare(
      program, weights: Weights(parameters), arena: arena, bindings: bindings, profile: nil)
    try executable.run()
    return Dictionary(
      uniqueKeysWithValues: program.outputs.compactMap { output in
        bindings[output.name].map { (output.name, Tensor(output.type, $0.read())) }
      })
  }

  /// Tensors in the layouts that kernels ask for.
  private final class Weights: WeightSource, @unchecked Sendable {
    private let tensor: @Sendable (Parameter) -> Tensor
    private var memory: [HostMemory] = []

    init(_ tensor: @escaping @Sendable (Parameter) -> Tensor) { self.tensor = tensor }

    func bytes(of weight: Program.Weight) throws(SDError) -> UnsafeRawPointer {
      let dense = try TensorStorage(weight.type)
      dense.write(tensor(Parameter(name: weight.name, type: weight.type)).values)
      let packed = try HostMemory(byteCount: weight.layout.byteCount(weight.type))
      weight.layout.pack(
        dense.memory.base, as: weight.type.dtype, to: packed.base, type: weight.type, threads: 1)
      memory.append(packed)
      return UnsafeRawPointer(packed.base)
    }
  }
}
