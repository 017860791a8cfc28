import GraphIR

/// Finds patterns in a graph.
struct Matcher {
  let graph: Graph
  let uses: [Int]
  let rates: [Rate]

  init(_ graph: Graph) {
    self.graph = graph
    uses = graph.useCounts()
    rates = graph.rates()
  }

  /// What a pattern has captured.
  struct Captures {
    var values: [String: ValueID] = [:]
    /// For every op below the root that must not be shared: the operand slots through which the match reads it.
    var edges: [NodeID: Set<Edge>] = [:]
  }

  /// An operand slot.
  struct Edge: Hashable {
    let user: NodeID
    let slot: Int
  }

  /// All ways in which the pattern matches with `root` as its root, the preferred one first.
  func matches(_ pattern: Pattern, at root: NodeID) -> [Captures] {
    match(pattern, ValueID(root), through: nil, Captures()).filter { captures in
      captures.edges.allSatisfy { uses[$0.key.index] == $0.value.count }
    }
  }

  private func match(
    _ pattern: Pattern, _ value: ValueID, through edge: Edge?, _ captures: Captures
  ) -> [Captures] {
    switch pattern {
    case .any(let name): return bind(name, value, captures)
    case .weight(let name):
      return rates[value.node.index] == .constant ? bind(name, value, captures) : []
    case .constant(let name, let filled):
      guard let constant = graph[value.node].op as? Constant,
        filled.map({ filled in constant.values.allSatisfy { $0 == filled } }) ?? true
      else { return [] }
      return bind(name, value, captures)
    case .oneOf(let patterns):
      return patterns.flatMap { match($0, value, through: edge, captures) }
    case .node(let node):
      let found = graph[value.node]
      guard value.result == 0, type(of: found.op) == node.type, node.condition(found.op) else { return [] }
      var captures = captures
      if let edge, !node.shared { captures.edges[value.node, default: []].insert(edge) }
      let bound = node.name.map { bind($0, value, captures) } ?? [captures]
      guard let operands = node.operands else { return bound }
      return orders(of: value.node).flatMap { order in
        guard order.count == operands.count else { return [Captures]() }
        return zip(operands, order).reduce(bound) { partial, next in
          partial.flatMap {
            match(next.0, found.operands[next.1], through: Edge(user: value.node, slot: next.1), $0)
          }
        }
      }
    }
  }

  /// The orders in which the operand slots of a node are matched.
  private func orders(of node: NodeID) -> [[Int]] {
    let operands = graph[node].operands
    guard graph[node].op is Add || graph[node].op is Multiply else { return [Array(operands.indices)] }
    return operands[1].node > operands[0].node ? [[1, 0], [0, 1]] : [[0, 1], [1, 0]]
  }

  private func bind(_ name: String, _ value: ValueID, _ captures: Captures) -> [Captures] {
    if let other = captures.values[name] { return other == value ? [captures] : [] }
    var captures = captures
    captures.values[name] = value
    return [captures]
  }
}
