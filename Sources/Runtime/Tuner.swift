package import GraphIR

/// Finds the fastest way to run each convolution of programs by timing it on a device.
package protocol Tuner {
  /// A way to run a call.
  associatedtype Choice: Equatable, Sendable
  /// By call, `sd.fused_conv(bf16[2, 64, 64, 320], …) {…}`.
  var measurements: [String: TuningMeasurement<Choice>] { get set }
  /// The kernels of the device.
  var library: any KernelLibrary { get }
  /// What plans keep of the measurements.
  var tuning: Tuning { get }
  /// Times a call; nil where there is nothing to choose from.
  ///
  /// - Throws: `SDError`: resources or device for too little memory, device when a GPU fails, cancelled when a signal stops it.
  func measure(
    _ op: FusedConv, _ call: String, _ node: KernelSignature
  ) throws(SDError) -> TuningMeasurement<Choice>?
}

extension Tuner {
  /// Calls of an op that are tried at most.
  static var trials: Int { 16 }

  /// Measures the convolutions of a graph that were not measured yet.
  ///
  /// - Throws: what `measure` throws.
  package mutating func tune(_ graph: Graph) throws(SDError) {
    for step in try lower(graph, with: library).steps {
      // Statistics change nothing that is worth another measurement.
      guard let op = step.op as? FusedConv ?? (step.op as? FusedConvStatistics)?.conv else { continue }
      let call = GraphText.call(op, step.operands.map(\.type))
      if measurements[call] == nil {
        measurements[call] = try measure(op, call, KernelSignature(step).withOneResult)
      }
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
