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

/// What was measured of the ways to run one call.
package struct TuningMeasurement<Choice: Equatable & Sendable>: Sendable {
  /// The fastest, nil where the predicted one is within 2 % of it.
  package var choice: Choice?
  /// Seconds as predicted to be fastest.
  package var predicted: Double
  /// Seconds of what is used from now on.
  package var best: Double

  /// Times that the last of them run.
  private static var rounds: Int { 5 }

  /// Runs all of them, then those that may still win. Nil where there is nothing to choose from.
  ///
  /// - Parameters:
  ///   - choices: the predicted one first.
  ///   - run: runs the choice of an index once; returns the seconds.
  /// - Throws: what `run` throws, and `SDError` (cancelled) when a signal stops it.
  init?(_ choices: [Choice], run: (Int) throws(SDError) -> Double) throws(SDError) {
    guard choices.count > 1 else { return nil }
    var (seconds, running) = (choices.map { _ in Double.infinity }, Array(choices.indices))
    for _ in 0..<Self.rounds {
      for index in running {
        if let stop = Interruption.error { throw stop }
        seconds[index] = min(seconds[index], try run(index))
      }
      let fastest = running.reduce(.infinity) { min($0, seconds[$1]) }
      running = running.filter { $0 == 0 || seconds[$0] <= 1.05 * fastest }
    }
    let winner = running.reduce(0) { seconds[$1] < 0.98 * seconds[$0] ? $1 : $0 }
    (choice, predicted, best) = (winner == 0 ? nil : choices[winner], seconds[0], seconds[winner])
  }
}
