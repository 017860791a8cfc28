import GraphIR
import GraphPasses
import GraphRuntime

/// Computes the weights of a plan from the tensors of a checkpoint: casts, concatenations, layouts.
struct WeightEvaluator {
  let source: any ParameterSource
  let derived: [String: DerivedWeight]
  let device: CPUDevice

  init(_ source: any ParameterSource, derived: [DerivedWeight], device: CPUDevice) {
    self.source = source
    self.derived = Dictionary(derived.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    self.device = device
  }

  /// The bytes of a weight in its layout.
  func bytes(of weight: Program.Weight) throws(SDError) -> HostMemory {
    let memory = try HostMemory(byteCount: weight.layout.byteCount(weight.type))
    guard let definition = derived[weight.name] else {
      let tensor = try source.tensor(Parameter(name: weight.name, type: weight.type))
      return withExtendedLifetime(tensor.owner) {
        pack(tensor.bytes.baseAddress, tensor.dtype, weight, to: memory)
      }
    }
    let value = try evaluate(definition)
    return withExtendedLifetime(value) {
      pack(UnsafeRawPointer(value.memory.base), value.type.dtype, weight, to: memory)
    }
  }

  private func pack(
    _ bytes: UnsafeRawPointer?, _ dtype: DType, _ weight: Program.Weight, to memory: HostMemory
  ) -> HostMemory {
    if let bytes {
      weight.layout.pack(bytes, as: dtype, to: memory.base, type: weight.type, threads: device.threads)
    }
    return memory
  }

  /// Runs a derived weight's graph on the CPU.
  private func evaluate(_ weight: DerivedWeight) throws(SDError) -> TensorStorage {
    let program = try lower(weight.graph, with: device.library)
    let output = try TensorStorage(weight.type)
    let executable = try device.prepare(
      program, weights: DenseParameters(source, threads: device.threads),
      arena: HostMemory(byteCount: program.arenaBytes),
      bindings: ["value": output], profile: nil)
    try executable.run()
    return output
  }
}

/// Checkpoint tensors in the element type that a graph declares, for as long as one evaluation takes.
private final class DenseParameters: WeightSource, @unchecked Sendable {
  private let source: any ParameterSource
  private let threads: Int
  private var owners: [any Sendable] = []

  init(_ source: any ParameterSource, threads: Int) { (self.source, self.threads) = (source, threads) }

  func bytes(of weight: Program.Weight) throws(SDError) -> UnsafeRawPointer {
    let tensor = try source.tensor(Parameter(name: weight.name, type: weight.type))
    if tensor.dtype == weight.type.dtype, weight.layout == .dense, let base = tensor.bytes.baseAddress {
      owners.append(tensor.owner)
      return base
    }
    let memory = try HostMemory(byteCount: weight.layout.byteCount(weight.type))
    defer { extendLifetime(tensor.owner) }
    if let base = tensor.bytes.baseAddress {
      weight.layout.pack(base, as: tensor.dtype, to: memory.base, type: weight.type, threads: threads)
    }
    owners.append(memory)
    return UnsafeRawPointer(memory.base)
  }
}
