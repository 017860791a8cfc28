public import GraphIR

/// A transformation of a graph into a better graph that computes the same.
public protocol Pass: Sendable {
  /// What logs, dumps and `--disable-pass` call it: `fuse-attention`.
  var name: String { get }

  /// The largest normalized mean squared error, ‖after − before‖² / ‖before‖², that `--check-passes` accepts.
  var tolerance: Double { get }

  /// What the pass will save of a graph, as theory says without running it; nil for a pass that saves nothing that is
  /// counted.
  func prediction(for graph: Graph) -> Work?

  /// What the pass is there to save: the work of a graph before or after it.
  func work(of graph: Graph) -> Work

  /// The better graph: the same outputs with the same types.
  ///
  /// - Throws: `SDError` from the type rules of the ops that it adds.
  func run(_ graph: Graph, _ context: inout PassContext) throws(SDError) -> Graph
}

extension Pass {
  /// 1e-9: only the order of float32 sums may change.
  public var tolerance: Double { 1e-9 }

  /// Nil.
  public func prediction(for graph: Graph) -> Work? { nil }

  /// One run of everything.
  public func work(of graph: Graph) -> Work { graph.work }
}

/// What the passes of one compilation share: the count of rewrites, for bisection.
public struct PassContext: Sendable {
  /// Rewrites applied so far, by all passes together.
  public private(set) var rewrites = 0
  /// After how many rewrites every pass stops; nil is never.
  public let rewriteLimit: Int?

  /// A context in which nothing has happened.
  public init(rewriteLimit: Int? = nil) { self.rewriteLimit = rewriteLimit }

  /// Counts one rewrite and allows it, or forbids it because the limit is reached.
  public mutating func countRewrite() -> Bool {
    if let rewriteLimit, rewrites >= rewriteLimit { return false }
    rewrites += 1
    return true
  }
}
