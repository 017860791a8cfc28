/// What the passes of one compilation did: the source of `sd-compile --stats`.
public struct PassReport: Sendable, Codable {
  /// One run of one pass.
  public struct Entry: Sendable, Codable {
    /// The graph that it got.
    public var graph: String
    /// The pass.
    public var pass: String
    /// How often each op occurred before, by name.
    public var before: [String: Int]
    /// How often each op occurs after, by name; in all graphs together.
    public var after: [String: Int]
    /// Rewrites applied.
    public var rewrites: Int
    /// Time taken, without verification.
    public var milliseconds: Double
    /// Whether the graph changed.
    public var changed: Bool
    /// What one run took before.
    public var workBefore: Work
    /// What one run takes after; behind a cut, of the graph that runs at every step.
    public var workAfter: Work
    /// What the pass was to save, for one that has a theory of that.
    public var predicted: Work?
    /// What the pass saved.
    public var got: Work

    init(
      graph: String, pass: String, before: [String: Int], after: [String: Int], rewrites: Int, milliseconds: Double,
      changed: Bool, workBefore: Work, workAfter: Work, predicted: Work?
    ) {
      (self.graph, self.pass, self.before, self.after) = (graph, pass, before, after)
      (self.rewrites, self.milliseconds, self.changed) = (rewrites, milliseconds, changed)
      (self.workBefore, self.workAfter, self.predicted) = (workBefore, workAfter, predicted)
      got = workBefore - workAfter
    }

    /// One line of the log.
    package var line: String {
      let nodes = changed ? "\(total(before)) -> \(total(after)) nodes" : "\(total(before)) nodes (unchanged)"
      let name = "\(graph): \(pass)"
      let time = "\((milliseconds * 10).rounded() / 10) ms"
      return "\(name): \(nodes), \(rewrites) rewrite\(rewrites == 1 ? "" : "s"), \(time)\(saving)"
    }

    /// `; saves 75.5 of 75.5 GFLOP, 31 of 31 ops`: what it got of what was predicted.
    private var saving: String {
      guard let predicted else { return "" }
      let terms: [(path: KeyPath<Work, Int>, unit: Double, name: String)] = [
        (\.flops, 1e9, "GFLOP"), (\.bytes, 1_048_576, "MiB written"), (\.ops, 1, "ops"),
      ]
      let phrases = terms.compactMap { path, unit, name -> String? in
        let (saved, wanted) = (got[keyPath: path], predicted[keyPath: path])
        guard saved != 0 || wanted != 0 else { return nil }
        guard unit > 1 else { return "\(saved) of \(wanted) \(name)" }
        // Adding zero makes 0 of −0.
        let numbers = [saved, wanted].map { "\((Double($0) / unit * 10).rounded() / 10 + 0)" }
        return "\(numbers[0]) of \(numbers[1]) \(name)"
      }
      return phrases.isEmpty ? "" : "; saves \(phrases.joined(separator: ", "))"
    }

    private func total(_ counts: [String: Int]) -> Int { counts.values.reduce(0, +) }
  }

  /// The runs, in order.
  public var entries: [Entry] = []
  /// What `hoist` moved out of the step.
  public var hoisted = HoistStatistics()

  /// Rewrites applied by all passes.
  public var rewrites: Int { entries.reduce(0) { $0 + $1.rewrites } }

  /// Nothing has run.
  public init() {}
}
