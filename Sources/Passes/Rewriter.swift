public import GraphIR

/// A rule: where `pattern` matches, the value that `replacement` builds takes the place of the root.
public struct Rewrite: Sendable {
  /// The equation: `x · sigmoid(x) → silu(x)`.
  public let name: String
  /// What is replaced.
  public let pattern: Pattern
  /// Builds a value of the root's type, or returns nil to leave everything as it is.
  public let replacement: @Sendable (Match) throws -> Value?

  /// A rule from its equation, its left and its right side.
  public init(
    _ name: String, _ pattern: Pattern, _ replacement: @escaping @Sendable (Match) throws -> Value?
  ) {
    (self.name, self.pattern, self.replacement) = (name, pattern, replacement)
  }

  /// The replacement; closures do not infer typed errors, so theirs is given its type here.
  func value(_ match: Match) throws(SDError) -> Value? {
    do {
      return try replacement(match)
    } catch {
      throw error as? SDError ?? SDError(.invalid, "rule '\(name)' failed: \(error)")
    }
  }
}

/// Applies rules until none applies any more.
public struct Rewriter: Sendable {
  /// The rules; of several that match a node the first wins.
  public let rules: [Rewrite]
  /// How often the graph is swept before the rules count as cyclic.
  static let sweepLimit = 100

  /// A rewriter for some rules.
  public init(_ rules: [Rewrite]) { self.rules = rules }

  /// The graph to which no rule applies.
  ///
  /// - Throws: `SDError` from type rules, when a replacement has another type than what it replaces, and when the
  ///   rules do not come to an end.
  public func run(_ graph: Graph, _ context: inout PassContext) throws(SDError) -> Graph {
    var graph = try graph.pruned()
    var applied: Set<String> = []
    for _ in 0..<Rewriter.sweepLimit {
      applied = []
      let next = try sweep(graph, &context, &applied)
      if applied.isEmpty { return graph }
      graph = next
    }
    let names = applied.sorted().map { "'\($0)'" }.joined(separator: ", ")
    throw SDError(.invalid, "rewriting '\(graph.name)' does not end; still applied: \(names)")
  }

  /// Where a first sweep finds something: the roots, each with the ops below it that only the match reads.
  func applications(in graph: Graph) -> [(root: NodeID, inner: Set<NodeID>)] {
    let matcher = Matcher(graph)
    let copy = GraphCopy(of: graph)
    return graph.ids.compactMap { id in
      let found = try? replacement(of: id, matcher, copy)
      _ = try? copy.value(ValueID(id))
      return found.map { (_, captures, _) in (id, Set(captures.edges.keys)) }
    }
  }

  /// Matches on the old graph, which knows all users; builds the new one beside it, operands first.
  private func sweep(
    _ graph: Graph, _ context: inout PassContext, _ applied: inout Set<String>
  ) throws(SDError) -> Graph {
    let matcher = Matcher(graph)
    let copy = GraphCopy(of: graph)
    for id in graph.ids {
      if let (rule, _, value) = try replacement(of: id, matcher, copy), context.countRewrite() {
        copy.replace(id, by: [value])
        applied.insert(rule.name)
      } else {
        _ = try copy.value(ValueID(id))
      }
    }
    return try copy.finished()
  }

  private func replacement(
    of root: NodeID, _ matcher: Matcher, _ copy: GraphCopy
  ) throws(SDError) -> (Rewrite, Matcher.Captures, Value)? {
    let node = copy.source[root]
    for rule in rules {
      for captures in matcher.matches(rule.pattern, at: root) {
        let match = Match(root, captures, copy, rates: matcher.rates)
        let value = try copy.builder.at(node.location) { () throws(SDError) -> Value? in
          try rule.value(match)
        }
        guard let value else { continue }
        guard value.type == match.type else {
          throw SDError(
            .invalid,
            "rule '\(rule.name)' puts \(value.type) in the place of \(match.type), at '\(node.location)'")
        }
        return (rule, captures, value)
      }
    }
    return nil
  }
}

/// A pass that is a list of rules.
public protocol RewritingPass: Pass {
  /// The rules, the first that matches wins.
  var rules: [Rewrite] { get }
}

extension RewritingPass {
  /// Applies the rules until none applies any more.
  public func run(_ graph: Graph, _ context: inout PassContext) throws(SDError) -> Graph {
    try Rewriter(rules).run(graph, &context)
  }
}

extension RewritingPass {
  /// The ops inside of what the rules find, which a fusion no longer writes.
  func inner(of graph: Graph) -> Set<NodeID> {
    Rewriter(rules).applications(in: graph).reduce(into: []) { $0.formUnion($1.inner) }
  }
}
