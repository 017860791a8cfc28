package import GraphIR
package import GraphRuntime
import Testing

/// Lowers a graph for a device and runs it once; returns the outputs by name.
///
/// - Parameters:
///   - fill: puts garbage into the arena: what a kernel does not write must not pass for a zero.
///   - parameters: the tensor of a checkpoint name.
package func run<D: Device>(
  _ graph: Graph, on device: D, _ inputs: [String: Tensor], fill: (D.Memory) throws(SDError) -> Void,
  parameters: @escaping @Sendable (Parameter) -> Tensor = { Tensor($0.type, []) }
) throws(SDError) -> [String: Tensor] {
  let program = try lower(graph, with: device.library)
  var bindings: [String: D.Storage] = [:]
  for binding in program.inputs + program.outputs {
    bindings[binding.name] = try device.tensor(binding.type)
    if let input = inputs[binding.name] { try bindings[binding.name]?.write(input.values) }
  }
  let arena = try device.allocate(program.arenaBytes)
  try fill(arena)
  let executable = try device.prepare(
    program, weights: TensorWeights(parameters), arena: arena, bindings: bindings, profile: nil)
  try executable.run()
  var outputs: [String: Tensor] = [:]
  for output in program.outputs {
    outputs[output.name] = Tensor(output.type, try bindings[output.name]?.read() ?? [])
  }
  return outputs
}

/// Tensors in the layouts that kernels ask for.
private final class TensorWeights: WeightSource, @unchecked Sendable {
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

/// Runs a graph of all ops on random operands on a device and compares with the interpreter. Rounding may grow in it to any
/// size, so what is judged is whether the right elements are in the right places; how exact kernels are is for their own
/// tests.
package func checkRandomGraph(
  seed: UInt64, steps: Int = 24,
  on run: (Graph, [String: Tensor], @escaping @Sendable (Parameter) -> Tensor) throws(SDError) -> [String: Tensor]
) throws(SDError) {
  let graph = try RandomGraph.make(seed: seed, steps: steps)
  let inputs = RandomGraph.inputs(of: graph, seed: seed)
  let expected = try Interpreter().run(graph, inputs: inputs) { RandomGraph.parameter($0, seed: 5) }
  let outputs = try run(graph, inputs) { RandomGraph.parameter($0, seed: 5) }
  for (name, tensor) in expected
  where tensor.values.allSatisfy({ $0.magnitude < 1e4 }) && tensor.values.contains(where: { $0.magnitude > 1e-2 }) {
    let error = nmse(outputs[name]?.values ?? [], tensor.values)
    #expect(outputs[name] != nil && error <= 1e-4, "seed \(seed), output \(name) \(tensor.type): NMSE \(error)")
  }
}
