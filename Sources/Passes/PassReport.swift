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

    /// One line of the log.
    package var line: String {
      let nodes = changed ? "\(total(before)) -> \(total(after)) nodes" : "\(total(before)) nodes (unchanged)"
      let name = "\(graph): \(pass)"
      let time = "\((milliseconds * 10).rounded() / 10) ms"
      return "\(name): \(nodes), \(rewrites) rewrite\(rewrites == 1 ? "" : "s"), \(time)"
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
