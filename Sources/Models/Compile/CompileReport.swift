public import GraphIR
public import GraphPasses
import GraphRuntime

/// What a compilation did: the source of `sd-compile --stats`.
public struct CompileReport: Sendable, Codable {
  /// One graph of a cut, lowered.
  public struct Part: Sendable, Codable {
    /// How often it runs.
    public var rate: Rate
    /// How often each op occurs.
    public var ops: [String: Int]
    /// Kernel calls of one run.
    public var steps: Int
    /// Floating-point operations of one run.
    public var flops: Int
    /// Bytes of the weights that it reads.
    public var weightBytes: Int
    /// Bytes of its arena.
    public var arenaBytes: Int
    /// The most bytes alive at one step; no arena is smaller.
    public var arenaLowerBound: Int

    init(rate: Rate, _ program: Program) {
      self.rate = rate
      ops = program.graph.opCounts()
      steps = program.steps.count
      flops = program.flops
      weightBytes = program.weightBytes
      arenaBytes = program.arenaBytes
      arenaLowerBound = program.arenaLowerBound
    }
  }

  /// One declared graph.
  public struct Entry: Sendable, Codable {
    /// `unet.guided@512x512`.
    public var name: String
    /// How often each op occurs as declared.
    public var declaredOps: [String: Int]
    /// Floating-point operations as declared.
    public var declaredFlops: Int
    /// What each pass did.
    public var passes: PassReport
    /// The graphs after the cut by rate.
    public var parts: [Part]
  }

  /// What timing convolutions changed.
  public struct TuningSummary: Sendable, Codable {
    /// Different convolutions that were timed.
    public var timed: Int
    /// Those that run otherwise than predicted from now on.
    public var changed: Int
    /// Seconds of all that were timed, once each, cut as predicted.
    public var predictedSeconds: Double
    /// The same, cut as stored.
    public var bestSeconds: Double
    /// What they ran on: `cpu avx512, 2 threads`.
    public var place: String

    init(_ tuner: some Tuner) {
      let measurements = tuner.measurements.values
      timed = measurements.count
      changed = measurements.count { $0.choice != nil }
      predictedSeconds = measurements.reduce(0) { $0 + $1.predicted }
      bestSeconds = measurements.reduce(0) { $0 + $1.best }
      place = tuner.tuning.place
    }

    /// The line of a table for people.
    var text: String {
      "tuned for \(place): \(changed) of \(timed) convolutions are cut otherwise than predicted; together, once each, "
        + "\(decimal(1e3 * predictedSeconds, 3)) ms became \(decimal(1e3 * bestSeconds, 3)) ms"
    }
  }

  /// What `--tune` found; nil without it.
  public var tuning: TuningSummary?
  /// All graphs in the order of the plan.
  public var graphs: [Entry] = []
  /// The id of the plan that was written.
  public var planID = ""

  /// For every pass, the rewrites in all graphs.
  var rewritesByPass: [String: Int] {
    graphs.reduce(into: [:]) { sums, graph in
      for entry in graph.passes.entries { sums[entry.pass, default: 0] += entry.rewrites }
    }
  }

  /// A table for people.
  public var text: String {
    var lines: [String] = []
    for graph in graphs {
      let ops = graph.declaredOps.values.reduce(0, +)
      lines.append("\(graph.name): \(ops) ops declared, \(giga(graph.declaredFlops)) GFLOP")
      for entry in graph.passes.entries where entry.changed {
        lines.append("  \(entry.line)")
      }
      let moved = graph.passes.hoisted
      if moved != HoistStatistics() { lines.append("  hoisted: \(moved.description)") }
      for part in graph.parts {
        let ratio = part.arenaLowerBound == 0 ? 1 : Double(part.arenaBytes) / Double(part.arenaLowerBound)
        lines.append(
          "  \(part.rate.rawValue): \(part.steps) kernel calls, \(giga(part.flops)) GFLOP, weights "
            + "\(mebi(part.weightBytes)) MiB, arena \(mebi(part.arenaBytes)) MiB (\(decimal(ratio, 3)) x its lower bound)"
        )
        let counts = part.ops.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        lines.append("    " + counts.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
      }
    }
    if let tuning { lines.append(tuning.text) }
    return lines.joined(separator: "\n")
  }

  private func giga(_ value: Int) -> String { decimal(Double(value) / 1e9, 2) }
  private func mebi(_ value: Int) -> String { decimal(Double(value) / 1_048_576, 1) }
}

/// A number with a fixed number of digits behind the point.
package func decimal(_ value: Double, _ digits: Int) -> String {
  guard value.isFinite else { return "\(value)" }
  var scale = 1.0
  for _ in 0..<digits { scale *= 10 }
  let rounded = (value.magnitude * scale).rounded()
  guard rounded < 1e15 else { return "\(value)" }
  let whole = Int(rounded)
  let sign = value < 0 && whole > 0 ? "-" : ""
  guard digits > 0 else { return "\(sign)\(whole)" }
  let fraction = String(whole % Int(scale))
  let zeros = String(repeating: "0", count: digits - fraction.count)
  return "\(sign)\(whole / Int(scale)).\(zeros)\(fraction)"
}
