package import GraphIR

/// Blockings that were measured on a processor.
package struct CPUTuning: Sendable, Equatable {
  /// The instruction set that ran.
  package var level: CPU.Level
  /// Whether it multiplied pairs of bfloat16.
  package var multipliesBF16: Bool
  /// Threads that ran.
  package var threads: Int
  /// By call; the calls that are not here run as predicted.
  package var blockings: [String: Blocking]

  /// Whether the kernels of a processor are those that were measured, and cut into parts enough for its threads.
  package func fits(_ cpu: CPU) -> Bool {
    (cpu.level, cpu.multipliesBF16) == (level, multipliesBF16) && cpu.threads <= threads
  }
}

extension CPUTuning {
  /// As it is stored.
  package var json: JSON {
    var members = JSON.Object()
    for (call, blocking) in blockings { members[call] = [JSON(blocking.rows), JSON(blocking.panels)] }
    return [
      "cpu": .string(level.rawValue), "multiplies_bf16": .bool(multipliesBF16), "threads": JSON(threads),
      "blockings": .object(members),
    ]
  }

  /// Reads what `json` stored.
  ///
  /// - Throws: `SDError` (invalid) that names the member.
  package init(_ config: JSON.Config) throws(SDError) {
    let name = try config.string("cpu")
    guard let level = CPU.Level(rawValue: name) else {
      throw SDError(.invalid, "\(config.file): \"cpu\" is \(JSON.quoted(name)), which this version does not know")
    }
    self.level = level
    multipliesBF16 = try config.bool("multiplies_bf16")
    threads = try config.int("threads")
    blockings = try config.numbers("blockings", count: 2).mapValues { Blocking(rows: $0[0], panels: $0[1]) }
  }
}
