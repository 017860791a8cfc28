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
  /// Runs it once on the bound tensors. A GPU may still be at it when this returns; whoever reads a tensor waits.
  ///
  /// - Throws: `SDError`: cancelled when it is stopped, numerics under `SD_CHECK_NAN`, and what a meaning throws.
  func run() throws(SDError)
  /// Waits until all runs are done.
  ///
  /// - Throws: `SDError` (device) when one of them failed.
  func finish() throws(SDError)
}

/// A dense tensor in a device's memory, shared between who writes and who reads it.
package protocol DeviceTensor: Sendable {
  /// Element type and shape.
  var type: TensorType { get }
  /// Stores float32 or integer values, rounded to the element type; there must be `type.count` of them.
  func write(_ values: [Float]) throws(SDError)
  /// The values as Float, when all work on them is done.
  func read() throws(SDError) -> [Float]
}

/// Something that runs programs. It knows no op.
package protocol Device: Sendable {
  /// What arenas are made of.
  associatedtype Memory
  /// What programs are bound to.
  associatedtype Storage: DeviceTensor

  /// `cpu`, `cuda:0`, `reference`.
  var name: String { get }
  /// The kernels that lowering may choose from.
  var library: any KernelLibrary { get }
  /// How many threads run a kernel, each with scratch memory of its own.
  var threads: Int { get }
  /// FLOP/s that no kernel exceeds: of a processor as a loop of multiply-adds measures them now, of a GPU by its data sheet.
  ///
  /// - Throws: `SDError` (device) when the device cannot say.
  func peakFLOPS(_ dtype: DType) throws(SDError) -> Double
  /// Bytes a second between the device and its memory that no kernel exceeds.
  ///
  /// - Throws: `SDError` (device) when the device cannot say.
  func bandwidth() throws(SDError) -> Double
  /// Refuses work that needs more memory than there is.
  ///
  /// - Throws: `SDError` (resources) with the numbers.
  func checkMemory(_ needs: [(what: String, bytes: Int)]) throws(SDError)
  /// Zeroed memory for an arena.
  ///
  /// - Throws: `SDError` when there is too little.
  func allocate(_ byteCount: Int) throws(SDError) -> Memory
  /// A zeroed tensor.
  ///
  /// - Throws: `SDError` when there is too little memory.
  func tensor(_ type: TensorType) throws(SDError) -> Storage
  /// Makes a program ready to run.
  ///
  /// - Parameters:
  ///   - arena: shared by programs that never run at the same time; at least `program.arenaBytes`.
  ///   - bindings: memory for every input and output, by name.
  /// - Throws: `SDError` for a missing weight or binding.
  func prepare(
    _ program: Program, weights: any WeightSource, arena: Memory, bindings: [String: Storage], profile: Profile?
  ) throws(SDError) -> any Executable
}

/// A device whose memory is the host's.
package protocol HostDevice: Device where Memory == HostMemory, Storage == TensorStorage {}

extension HostDevice {
  /// A round figure for the memory of these machines.
  package func bandwidth() -> Double { 20e9 }

  package func checkMemory(_ needs: [(what: String, bytes: Int)]) throws(SDError) {
    try AvailableMemory.check(needs)
  }

  package func allocate(_ byteCount: Int) throws(SDError) -> HostMemory { try HostMemory(byteCount: byteCount) }

  package func tensor(_ type: TensorType) throws(SDError) -> TensorStorage { try TensorStorage(type) }
}

extension Program {
  /// The bound memory of every input and output, in order.
  ///
  /// - Throws: `SDError` (usage) for one that is missing or has another type.
  package func resolve<Storage: DeviceTensor>(
    _ names: [Binding], in bindings: [String: Storage]
  ) throws(SDError) -> [Storage] {
    var storages: [Storage] = []
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
