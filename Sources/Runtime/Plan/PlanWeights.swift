package import GraphIR
import Synchronization

/// The weights of a plan, mapped; a weight that is wanted in another layout is re-packed in memory once.
package final class PlanWeights: WeightSource, Sendable {
  private let file: PlanFile
  private let section: @Sendable () throws(SDError) -> UnsafeRawBufferPointer
  private let entries: [String: [WeightTable.Entry]]
  private let prefix: String
  private let repacked = Mutex<[Program.Weight: HostMemory]>([:])

  /// The weights of one component: those whose names begin with `component/`.
  package init(_ file: PlanFile, _ table: WeightTable, component: String) {
    self.file = file
    section = { () throws(SDError) in try file.section(.weights) }
    prefix = component + "/"
    entries = Dictionary(grouping: table.entries) { $0.weight.name }
  }

  /// How many weights had to be re-packed for this processor.
  package var repackedCount: Int { repacked.withLock { $0.count } }

  /// The mapped bytes, or a re-packed copy.
  package func bytes(of weight: Program.Weight) throws(SDError) -> UnsafeRawPointer {
    let base = try section().baseAddress
    guard let stored = entries[prefix + weight.name], let base,
      let any = stored.first(where: { $0.weight.type == weight.type })
    else {
      throw SDError(
        .invalid, "cannot load '\(file.path)': it has no weight '\(prefix + weight.name)' \(weight.type). Recompile it."
      )
    }
    if let exact = stored.first(where: { $0.weight.layout == weight.layout && $0.weight.type == weight.type }) {
      return base + exact.offset
    }
    if let memory = repacked.withLock({ $0[weight] }) { return UnsafeRawPointer(memory.base) }
    guard weight.layout.accepts(weight.type) else {
      throw SDError(
        .invalid,
        "cannot load '\(file.path)': weight '\(weight.name)' \(weight.type) cannot lie as "
          + "\(weight.layout.rawValue). Recompile it.")
    }
    let dense = try HostMemory(byteCount: weight.type.byteCount)
    defer { extendLifetime(dense) }
    let threads = AvailableProcessors.count
    any.weight.layout.unpack(
      base + any.offset, type: weight.type, to: dense.base, as: weight.type.dtype, threads: threads)
    let memory = try HostMemory(byteCount: weight.layout.byteCount(weight.type))
    weight.layout.pack(
      dense.base, as: weight.type.dtype, to: memory.base, type: weight.type, threads: threads)
    // Somebody else may have been faster; the first copy is the one that pointers were given to.
    return repacked.withLock { copies in
      let kept = copies[weight] ?? memory
      copies[weight] = kept
      return UnsafeRawPointer(kept.base)
    }
  }
}
