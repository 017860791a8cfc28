package import GraphIR

/// Runs graphs through the meanings of their ops: slow, plain, and the judge of all other devices.
package struct ReferenceDevice: HostDevice {
  /// `reference`.
  package let name = "reference"
  /// Every op has the one kernel that evaluates its meaning.
  package let library: any KernelLibrary = ReferenceLibrary()
  /// One.
  package let threads = 1

  /// Nobody asks how fast it could be.
  package func peakFLOPS(_ dtype: DType) -> Double { 0 }

  /// A device; it has no settings.
  package init() {}

  /// Keeps the graph; weights are read in the checkpoint's layout at every run.
  package func prepare(
    _ program: Program, weights: any WeightSource, arena: HostMemory, bindings: [String: TensorStorage],
    profile: Profile?
  ) throws(SDError) -> any Executable {
    ReferenceExecutable(
      program: program, weights: weights, inputs: try program.resolve(program.inputs, in: bindings),
      outputs: try program.resolve(program.outputs, in: bindings))
  }
}

private struct ReferenceLibrary: KernelLibrary {
  struct Meaning: Kernel {
    let name = "reference"
    let weightLayouts: [Int: WeightLayout] = [:]
    let acceptsPitch = true
    let denseOperands: Set<Int> = []
    let scratchBytes = 0
  }

  func kernel(for op: any Op, _ signature: KernelSignature) -> (any Kernel)? { Meaning() }
}

private final class ReferenceExecutable: Executable {
  let program: Program
  private let weights: any WeightSource
  private let inputs: [TensorStorage]
  private let outputs: [TensorStorage]

  init(program: Program, weights: any WeightSource, inputs: [TensorStorage], outputs: [TensorStorage]) {
    (self.program, self.weights, self.inputs, self.outputs) = (program, weights, inputs, outputs)
  }

  func run() throws(SDError) {
    var tensors: [String: Tensor] = [:]
    for (binding, storage) in zip(program.inputs, inputs) {
      tensors[binding.name] = Tensor(binding.type, storage.read())
    }
    let results = try Interpreter().run(program.graph, inputs: tensors) {
      (parameter: Parameter) throws(SDError) -> Tensor in
      let weight = Program.Weight(name: parameter.name, type: parameter.type, layout: .dense)
      let base = UnsafeMutableRawPointer(mutating: try weights.bytes(of: weight))
      let view = TensorView(base: base, type: parameter.type, pitch: parameter.type.lastDimension)
      return Tensor(parameter.type, view.read())
    }
    for (binding, storage) in zip(program.outputs, outputs) {
      if let result = results[binding.name] { storage.write(result.values) }
    }
  }

  func finish() {}
}
