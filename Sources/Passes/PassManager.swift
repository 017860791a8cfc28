public import GraphIR

/// How passes are run and watched.
public struct PassOptions: Sendable {
  /// Names of passes that are left out.
  public var disabled: Set<String> = []
  /// The number of rewrites after which all passes stop, to find the one that breaks a model.
  public var rewriteLimit: Int?
  /// Whether every pass is checked numerically, before against after, on random inputs and parameters.
  public var check = false
  /// Receives one line a pass.
  public var log: (@Sendable (_ line: String) -> Void)?
  /// Receives the graph behind every pass that changed it, as the text of a file `NNN-name.graph` and `.dot`.
  public var dump: (@Sendable (_ file: String, _ text: String) throws(SDError) -> Void)?

  /// Runs everything, watches nothing.
  public init() {}
}

/// Runs passes in order; verifies, times and logs each; dumps and checks it when asked to.
public struct PassManager {
  /// What the passes did so far.
  public private(set) var report = PassReport()
  private let options: PassOptions
  private var context: PassContext
  private var number = 0

  /// A manager for one compilation.
  ///
  /// - Throws: `SDError(.usage)` when `options.disabled` has a name that none of `passes` has.
  public init(_ options: PassOptions, passes: [String]) throws(SDError) {
    for name in options.disabled.sorted() where !passes.contains(name) {
      var known: [String] = []
      for pass in passes where !known.contains(pass) { known.append(pass) }
      let meant = nearest(to: name, in: known).map { "Did you mean '\($0)'? " } ?? ""
      throw SDError(
        .usage, "there is no pass '\(name)'", hint: "\(meant)The passes are \(known.joined(separator: ", "))."
      )
    }
    self.options = options
    context = PassContext(rewriteLimit: options.rewriteLimit)
  }

  /// The graph behind all of the passes.
  ///
  /// - Throws: `SDError` from a pass, from the verifier, and with `check` when a pass changes a result.
  public mutating func run(_ passes: [any Pass], on graph: Graph) throws(SDError) -> Graph {
    var graph = graph
    for pass in passes {
      graph = try transform(
        graph, pass.name, tolerance: pass.tolerance, prediction: pass.prediction, work: pass.work, disabled: graph
      ) { (graph, context) throws(SDError) in try pass.run(graph, &context)
      }
    }
    return graph
  }

  /// Runs one transformation of a graph; `disabled` is the result when it is left out.
  ///
  /// - Throws: as `run(_:on:)`.
  package mutating func transform<Result: GraphParts>(
    _ graph: Graph, _ name: String, tolerance: Double = 1e-9, prediction: (Graph) -> Work? = { _ in nil },
    work: (Graph) -> Work = \.work, disabled: Result,
    _ body: (Graph, inout PassContext) throws(SDError) -> Result
  ) throws(SDError) -> Result {
    guard !options.disabled.contains(name) else {
      options.log?("\(graph.name): \(name): disabled")
      return disabled
    }
    let rewrites = context.rewrites
    let start = ContinuousClock.now
    let result = try body(graph, &context)
    let time = ContinuousClock.now - start
    let after = result.parts
    let entry = PassReport.Entry(
      graph: graph.name, pass: name, before: graph.opCounts(),
      after: after.reduce(into: [:]) { $0.merge($1.opCounts(), uniquingKeysWith: +) },
      rewrites: context.rewrites - rewrites, milliseconds: time / .milliseconds(1), changed: after != [graph],
      workBefore: work(graph), workAfter: work(result.step), predicted: prediction(graph))
    report.entries.append(entry)
    options.log?(entry.line)
    number += 1
    for part in after {
      try verify(part, after: name)
      if entry.changed { try dump(part, name, of: after.count) }
    }
    if options.check, entry.changed {
      try Equivalence(tolerance: tolerance).check(graph, try result.joined(), pass: name)
    }
    return result
  }

  private func verify(_ graph: Graph, after pass: String) throws(SDError) {
    do {
      try Verifier().verify(graph)
    } catch {
      throw SDError(error.code, "pass '\(pass)' made a wrong graph: \(error.message)", hint: error.hint)
    }
  }

  private func dump(_ graph: Graph, _ pass: String, of count: Int) throws(SDError) {
    guard let dump = options.dump else { return }
    let digits = String(repeating: "0", count: max(0, 3 - "\(number)".count)) + "\(number)"
    let file = "\(digits)-\(pass)" + (count > 1 ? ".\(graph.name)" : "")
    try dump("\(file).graph", GraphText.print(graph))
    try dump("\(file).dot", GraphDot.print(graph))
  }

  /// Adds what `hoist` moved to the report.
  package mutating func note(_ statistics: HoistStatistics) { report.hoisted = statistics }
}

/// What a transformation makes of a graph: one graph, or several that compute the same together.
package protocol GraphParts {
  /// The graphs, to be verified, counted and dumped.
  var parts: [Graph] { get }
  /// The one that runs at every step.
  var step: Graph { get }
  /// A single graph that computes what the parts compute together.
  func joined() throws(SDError) -> Graph
}

extension Graph: GraphParts {
  /// The graph itself.
  package var parts: [Graph] { [self] }
  /// The graph itself.
  package var step: Graph { self }
  /// The graph itself.
  package func joined() -> Graph { self }
}
