extension GraphText {
  /// The largest text that is read, in bytes.
  public static let maximumLength = 1 << 28

  /// The graph of a text.
  ///
  /// The text may come from anywhere: whatever it holds gives a graph or an error. The result keeps V1, V2, V3,
  /// V4, V6 and V7 of `Verifier.rules`; a graph between two passes may have unused inputs (V5).
  ///
  /// - Parameters:
  ///   - registry: the ops that are known.
  ///   - fallbacks: for `call`s of `Fallback`s, their graphs; they take the place of nodes whose op is not known.
  /// - Throws: `SDError` with line and column; `.incompatible`, naming all of them, when ops are not known.
  public static func parse(
    _ text: String, registry: OpRegistry, fallbacks: [String: String] = [:]
  ) throws(SDError) -> Graph {
    guard text.utf8.count <= maximumLength else {
      throw SDError(.invalid, "graph text of \(text.utf8.count) bytes; \(maximumLength) are allowed")
    }
    var parser = GraphParser(text)
    let parsed = try parser.parse()
    try refuseUnknownOps(of: parsed, registry, fallbacks, parser.lexer)
    var resolver = Resolver(registry: registry, fallbacks: fallbacks, lexer: parser.lexer, name: parsed.name)
    let graph = try resolver.graph(of: parsed)
    try Verifier(rules: Verifier.rules.filter { $0.number == 4 || $0.number == 6 }).verify(graph)
    return graph
  }
}

/// Puts the nodes of a parsed text into a graph.
private struct Resolver {
  let registry: OpRegistry
  let fallbacks: [String: String]
  let lexer: Lexer
  let builder: GraphBuilder
  /// The results of every parsed node.
  private var values: [[Value]] = []
  /// Fallback graphs that have been parsed, by call.
  private var parsedFallbacks: [String: Graph] = [:]
  /// Nodes looked at for all fallbacks; a short text must not ask for endless work.
  private var fallbackNodes = 0

  init(registry: OpRegistry, fallbacks: [String: String], lexer: Lexer, name: String) {
    (self.registry, self.fallbacks, self.lexer) = (registry, fallbacks, lexer)
    builder = GraphBuilder(name: name)
  }

  mutating func graph(of parsed: ParsedGraph) throws(SDError) -> Graph {
    for node in parsed.nodes {
      let operands = node.operands.map { values[$0.node.index][$0.result] }
      do {
        values.append(try builder.at(node.location) { () throws(SDError) in try results(of: node, operands) })
      } catch { throw located(error, node.offset) }
    }
    for output in parsed.outputs {
      do {
        try builder.output(output.name, values[output.value.node.index][output.value.result])
      } catch { throw located(error, output.offset) }
    }
    return builder.graph
  }

  private func located(_ error: SDError, _ offset: Int) -> SDError {
    lexer.error(error.message, at: offset, code: error.code, hint: error.hint)
  }

  private mutating func results(of node: ParsedGraph.Node, _ operands: [Value]) throws(SDError) -> [Value] {
    let results: [Value]
    if let type = registry[node.op] {
      results = try builder.results(of: decode(type, node), operands)
    } else {
      results = try fallback(node, operands)
    }
    let types = results.map(\.type)
    guard types == node.types else {
      throw SDError(.invalid, "V2: \(node.op) gives \(types.list), the text says \(node.types.list)")
    }
    return results
  }

  private func decode(_ type: (some Op).Type, _ node: ParsedGraph.Node) throws(SDError) -> any Op {
    do {
      return try AttributeDecoder.decode(type, from: node.attributes)
    } catch { throw SDError(error.code, "[\(node.op)] \(error.message)", hint: error.hint) }
  }

  /// The node's results by its stored decomposition.
  private mutating func fallback(_ node: ParsedGraph.Node, _ operands: [Value]) throws(SDError) -> [Value] {
    let call = GraphText.call(node.op, operands.map(\.type), node.attributes)
    do throws(SDError) {
      let graph = try fallbackGraph(call)
      fallbackNodes += graph.nodes.count
      guard fallbackNodes <= Verifier.maximumNodes else {
        throw SDError(.invalid, "V7: all decompositions have more than \(Verifier.maximumNodes) nodes")
      }
      return try builder.inline(graph, operands, resultTypes: node.types)
    } catch { throw SDError(error.code, "decomposition of \(node.op): \(error.message)", hint: error.hint) }
  }

  private mutating func fallbackGraph(_ call: String) throws(SDError) -> Graph {
    if let graph = parsedFallbacks[call] { return graph }
    guard let text = fallbacks[call] else { throw SDError(.invalid, "none is stored for \(call)") }
    let graph = try GraphText.parse(text, registry: registry)
    parsedFallbacks[call] = graph
    return graph
  }
}

extension [TensorType] {
  /// `f32[2], f32[3]`.
  var list: String { map(\.description).joined(separator: ", ") }
}
