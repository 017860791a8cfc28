package import GraphIR
package import GraphRuntime

/// A component's programs with their memory: inputs are written, a rate is run, outputs are read.
///
/// Values that cross from one rate to another live in memory that both programs are bound to.
package final class GraphSession {
  private let storages: [String: any DeviceTensor]
  private let executables: [Rate: any Executable]

  /// Binds the programs of a component; they share one arena, since they never run at the same time.
  ///
  /// - Throws: `SDError` for missing weights or too little memory.
  package convenience init(_ model: CompiledModel, _ key: GraphKey) throws(SDError) {
    try self.init(model, key, on: model.device)
  }

  private init<D: Device>(_ model: CompiledModel, _ key: GraphKey, on device: D) throws(SDError) {
    let programs = try model.programs(key)
    try model.checkMemory([key])
    let weights = PlanWeights(model.file, model.table, component: key.component.rawValue)
    let arena = try device.allocate(programs.values.map(\.arenaBytes).max() ?? 0)
    var storages: [String: D.Storage] = [:]
    for program in programs.values {
      for binding in program.inputs + program.outputs where storages[binding.name] == nil {
        storages[binding.name] = try device.tensor(binding.type)
      }
    }
    var executables: [Rate: any Executable] = [:]
    for (rate, program) in programs {
      executables[rate] = try device.prepare(
        program, weights: weights, arena: arena, bindings: storages, profile: model.profile)
    }
    self.storages = storages
    self.executables = executables
    if weights.repackedCount > 0 {
      StandardError.print(
        "note: \(key.component.rawValue) was compiled for \(model.info.packing): "
          + "\(weights.repackedCount) weights were re-packed in memory")
    }
  }

  /// The memory of an input or output; nil when no program has it.
  package func storage(_ name: String) -> (any DeviceTensor)? { storages[name] }

  /// The type of an input or output, nil when no program has it.
  package func type(of name: String) -> TensorType? { storages[name]?.type }

  /// The inputs of all programs that no other program of the component computes.
  package var inputs: [(name: String, type: TensorType)] {
    let programs = executables.values.map(\.program)
    let computed = Set(programs.flatMap { $0.outputs.map(\.name) })
    let names = Set(programs.flatMap { $0.inputs.map(\.name) }).subtracting(computed)
    return names.sorted().compactMap { name in type(of: name).map { (name, $0) } }
  }

  /// Stores the values of an input; an input that no program reads is ignored.
  package func write(_ name: String, _ values: [Float]) throws(SDError) { try storages[name]?.write(values) }

  /// The values of an output.
  package func read(_ name: String) throws(SDError) -> [Float] { try storages[name]?.read() ?? [] }

  /// Runs the program of a rate, if there is one.
  ///
  /// - Throws: `SDError` from a kernel, or when it is stopped.
  package func run(_ rate: Rate) throws(SDError) { try executables[rate]?.run() }

  /// Waits until everything that was run is done.
  ///
  /// - Throws: `SDError` from a kernel.
  package func finish() throws(SDError) { for executable in executables.values { try executable.finish() } }

  /// Work of one run of a rate.
  package func flops(_ rate: Rate) -> Int { executables[rate]?.program.flops ?? 0 }

  /// Bytes that one run of a rate must read and write.
  package func bytes(_ rate: Rate) -> Int { executables[rate]?.program.bytes ?? 0 }
}
