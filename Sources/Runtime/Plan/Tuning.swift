package import GraphIR

/// How convolutions run fastest on one machine, as it was measured: a plan's section TUNE, canonical JSON.
package enum Tuning: Sendable, Equatable {
  /// On its processor.
  case cpu(CPUTuning)
  /// On its GPU.
  case cuda(CUDATuning)

  /// As it is stored.
  package var json: JSON {
    switch self {
    case .cpu(let tuning): tuning.json
    case .cuda(let tuning): tuning.json
    }
  }

  /// Reads what `json` stored.
  ///
  /// - Throws: `SDError` (invalid) that names the member.
  package init(_ config: JSON.Config) throws(SDError) {
    self = config.members["cuda"] == nil ? .cpu(try CPUTuning(config)) : .cuda(try CUDATuning(config))
  }

  /// Where it was measured: `cpu avx512, 2 threads`.
  package var place: String {
    switch self {
    case .cpu(let tuning): "cpu \(tuning.level.rawValue), \(tuning.threads) threads"
    case .cuda(let tuning):
      "cuda \(tuning.architecture.name) (\(tuning.deviceName)), \(tuning.multiprocessors) multiprocessors"
    }
  }

  /// Convolutions that are cut otherwise than predicted.
  package var count: Int {
    switch self {
    case .cpu(let tuning): tuning.blockings.count
    case .cuda(let tuning): tuning.cuts.count
    }
  }
}

extension JSON.Config {
  /// By call, so many whole numbers in 1 … 2³⁰; none where the member is missing.
  ///
  /// - Throws: `SDError` (invalid) that names the call.
  func numbers(_ name: String, count: Int) throws(SDError) -> [String: [Int]] {
    guard let members = members[name] else { return [:] }
    let calls = try JSON.Config(members, file: "\(file): \"\(name)\"")
    var all: [String: [Int]] = [:]
    for (call, _) in calls.members.members {
      let numbers = try calls.ints(call)
      guard numbers.count == count, numbers.allSatisfy({ (1...1 << 30).contains($0) }) else {
        throw SDError(
          .invalid, "\(calls.file): \(JSON.quoted(call)) must be \(count) numbers in 1 ... \(1 << 30), it is \(numbers)"
        )
      }
      all[call] = numbers
    }
    return all
  }
}
