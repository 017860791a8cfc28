package import GraphIR

/// Where the bytes of weights come from: a plan file, or tensors in memory.
package protocol WeightSource: AnyObject, Sendable {
  /// The bytes of a weight in the layout it asks for; they live as long as the source.
  ///
  /// - Throws: `SDError` when there is no such weight.
  func bytes(of weight: Program.Weight) throws(SDError) -> UnsafeRawPointer
}

/// A program with its weights, memory and bindings, ready to run any number of times. Not for two threads at a time.
package protocol Executable: AnyObject {
  /// The program.
  var program: Program { get }
  /// Runs it once on the bound tensors.
  ///
  /// - Throws: `SDError`: cancelled when it is stopped, numerics under `SD_CHECK_NAN`, and what a meaning throws.
  func run() throws(SDError)
}

/// Something that runs programs. It knows no op.
package protocol Device: Sendable {
  /// `cpu`, `reference`.
  var name: String { get }
  /// The kernels that lowering may choose from.
  var library: any KernelLibrary { get }
  /// Makes a program ready to run.
  ///
  /// - Parameters:
  ///   - arena: shared by programs that never run at the same time; at least `program.arenaBytes`.
  ///   - bindings: memory for every input and output, by name.
  /// - Throws: `SDError` for a missing weight or binding.
  func prepare(
    _ program: Program, weights: any WeightSource, arena: HostMemory, bindings: [String: TensorStorage],
    profile: Profile?
  ) throws(SDError) -> any Executable
}

extension Program {
  /// The bound memory of every input and output, in order.
  ///
  /// - Throws: `SDError` (usage) for one that is missing or has another type.
  package func resolve(
    _ names: [Binding], in bindings: [String: TensorStorage]
  ) throws(SDError) -> [TensorStorage] {
    var storages: [TensorStorage] = []
    for binding in names {
      guard let storage = bindings[binding.name], storage.type == binding.type else {
        throw SDError(
          .usage,
          "'\(graph.name)' needs \(binding.type) for '\(binding.name)', it is bound to "
            + "\(bindings[binding.name].map { "\($0.type)" } ?? "nothing")")
      }
      storages.append(storage)
    }
    return storages
  }
}
