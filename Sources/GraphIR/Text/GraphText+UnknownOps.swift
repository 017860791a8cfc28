extension GraphText {
  /// Refuses a text with ops that are neither known nor have a fallback; one error names all of them.
  static func refuseUnknownOps(
    of parsed: ParsedGraph, _ registry: OpRegistry, _ fallbacks: [String: String], _ lexer: Lexer
  ) throws(SDError) {
    var unknown: [(name: String, first: ParsedGraph.Node, count: Int)] = []
    var positions: [String: Int] = [:]
    for node in parsed.nodes where registry[node.op] == nil {
      let operands = node.operands.map { parsed.nodes[$0.node.index].types[$0.result] }
      if !fallbacks.isEmpty, fallbacks[call(node.op, operands, node.attributes)] != nil { continue }
      if let position = positions[node.op] {
        unknown[position].count += 1
      } else {
        positions[node.op] = unknown.count
        unknown.append((node.op, node, 1))
      }
    }
    guard !unknown.isEmpty else { return }
    let shown = unknown.prefix(maximumListedOps)
    var message =
      unknown.count == 1
      ? "graph '\(parsed.name)': 1 operation is not available here"
      : "graph '\(parsed.name)': \(unknown.count) operations are not available here"
    for (name, first, count) in shown {
      let used = count == 1 ? "used once" : "used \(count) times"
      let line = lexer.place(of: first.offset).line
      message += "\n  \(name): \(used), first at '\(first.location)' (line \(line))"
      message += advice(for: name, registry)
    }
    if shown.count < unknown.count { message += "\n  and \(unknown.count - shown.count) more" }
    throw SDError(
      .incompatible, message,
      hint: "register them, or allow the decompositions that a plan stores for them (--allow-fallback)")
  }

  /// How many unknown ops an error names.
  private static let maximumListedOps = 20

  private static func advice(for name: String, _ registry: OpRegistry) -> String {
    let base = name.prefix { $0 != "@" }
    if let version = registry.names.last(where: { $0.prefix { $0 != "@" } == base }) {
      return "; this build has '\(version)'"
    }
    return nearest(to: name, in: registry.names).map { "; did you mean '\($0)'?" } ?? ""
  }
}
