/// A graph text whose syntax is right and whose values are defined before use; its ops are not looked up yet.
struct ParsedGraph {
  struct Node {
    /// The op's name, and where it stands in the text.
    let op: String
    let offset: Int
    /// The nodes of this array and their results.
    let operands: [ValueID]
    let attributes: Attribute
    let types: [TensorType]
    let location: String
  }

  struct Output {
    let name: String
    let value: ValueID
    let offset: Int
  }

  var name = ""
  var nodes: [Node] = []
  var outputs: [Output] = []
}

/// Reads the syntax of the text form, always one token ahead.
///
///     graph  = "graph" string "{" { node | output } "}"
///     node   = value [":" count] "=" op "(" [use {"," use}] ")" [attribute] ":" type {"," type} "loc" string
///     output = "output" string "=" use
///     use    = value ["#" index]
///     attribute = "null" | "true" | "false" | number | string | "[" … "]" | "{" key "=" attribute "," … "}"
struct GraphParser {
  private(set) var lexer: Lexer
  private var token = Token.end
  private var graph = ParsedGraph()
  /// The node that a number of the text names.
  private var defined: [Int: Int] = [:]

  init(_ text: String) { lexer = Lexer(text) }

  mutating func parse() throws(SDError) -> ParsedGraph {
    try advance()
    try expect(.word("graph"))
    graph.name = try name("a graph's name")
    try expect(.symbol("{"))
    while token != .symbol("}") {
      switch token {
      case .value(let number): try node(number)
      case .word("output"): try output()
      default: throw expected("a node, an output or '}'")
      }
    }
    try advance()
    guard token == .end else { throw expected("the end of the text") }
    return graph
  }

  // MARK: Tokens

  private mutating func advance() throws(SDError) { token = try lexer.next() }

  private func error(_ message: String) -> SDError { lexer.error(message, at: lexer.start) }

  private func expected(_ what: String) -> SDError { error("expected \(what), found \(token)") }

  private mutating func expect(_ wanted: Token) throws(SDError) {
    guard token == wanted else { throw expected("\(wanted)") }
    try advance()
  }

  /// Consumes the token if it is there.
  private mutating func skip(_ symbol: Character) throws(SDError) -> Bool {
    guard token == .symbol(symbol) else { return false }
    try advance()
    return true
  }

  private mutating func name(_ what: String) throws(SDError) -> String {
    guard case .string(let text) = token else { throw expected("\(what) in quotes") }
    if let reason = Verifier.objection(toName: text) { throw error("V6: \(what) \(reason)") }
    try advance()
    return text
  }

  private mutating func integer(_ what: String) throws(SDError) -> Int {
    guard case .number(let literal) = token, let value = Int(literal), value >= 0 else {
      throw expected(what)
    }
    try advance()
    return value
  }

  // MARK: Statements

  private mutating func node(_ number: Int) throws(SDError) {
    guard defined[number] == nil else { throw error("V1: %\(number) is defined twice") }
    guard graph.nodes.count < Verifier.maximumNodes else {
      throw error("V7: the graph has more than \(Verifier.maximumNodes) nodes")
    }
    let begin = lexer.start
    try advance()
    let count = try skip(":") ? integer("a number of results") : 1
    try expect(.symbol("="))
    guard case .word(let op) = token else { throw expected("an operation") }
    let offset = lexer.start
    try advance()
    var operands: [ValueID] = []
    try list(from: "(", to: ")") { (parser) throws(SDError) in operands.append(try parser.use()) }
    let attributes = token == .symbol(":") ? .record([:]) : try attribute(depth: 0)
    try expect(.symbol(":"))
    var types = [try type()]
    while try skip(",") { types.append(try type()) }
    guard types.count == count else {
      throw lexer.error(
        "%\(number) has \(count) result(s) before '=' and \(types.count) type(s) behind ':'", at: begin)
    }
    try expect(.word("loc"))
    let location = try name("a location")
    defined[number] = graph.nodes.count
    graph.nodes.append(
      ParsedGraph.Node(
        op: op, offset: offset, operands: operands, attributes: attributes, types: types, location: location))
  }

  private mutating func output() throws(SDError) {
    guard graph.outputs.count < Verifier.maximumOutputs else {
      throw error("V7: the graph has more than \(Verifier.maximumOutputs) outputs")
    }
    try advance()
    let offset = lexer.start
    let name = try name("an output's name")
    try expect(.symbol("="))
    graph.outputs.append(ParsedGraph.Output(name: name, value: try use(), offset: offset))
  }

  private mutating func use() throws(SDError) -> ValueID {
    guard case .value(let number) = token else { throw expected("a value like %12") }
    guard let index = defined[number] else { throw error("V1: %\(number) is not defined before its use") }
    let begin = lexer.start
    try advance()
    let result = try skip("#") ? integer("a result's index") : 0
    let count = graph.nodes[index].types.count
    guard result < count else {
      throw lexer.error("V1: %\(number) has \(count) result(s), there is no %\(number)#\(result)", at: begin)
    }
    return ValueID(NodeID(index), result)
  }

  private mutating func type() throws(SDError) -> TensorType {
    guard case .word(let name) = token, let dtype = DType(rawValue: name) else {
      throw expected("a type like f32[2, 3]")
    }
    let begin = lexer.start
    try advance()
    var shape: [Int] = []
    try list(from: "[", to: "]") { (parser) throws(SDError) in
      shape.append(try parser.integer("a dimension"))
    }
    guard let type = TensorType(dtype, shape).checked() else {
      throw lexer.error("V7: the type has a rank above 8 or is too large", at: begin)
    }
    return type
  }

  // MARK: Attributes

  private mutating func list(
    from open: Character, to close: Character, _ element: (inout GraphParser) throws(SDError) -> Void
  ) throws(SDError) {
    try expect(.symbol(open))
    if try skip(close) { return }
    repeat { try element(&self) } while try skip(",")
    try expect(.symbol(close))
  }

  private mutating func attribute(depth: Int) throws(SDError) -> Attribute {
    guard depth <= Attribute.maximumDepth else { throw error("attributes nest too deep") }
    let result: Attribute
    switch token {
    case .symbol("["):
      var elements: [Attribute] = []
      try list(from: "[", to: "]") { (parser) throws(SDError) in
        elements.append(try parser.attribute(depth: depth + 1))
      }
      return .list(elements)
    case .symbol("{"):
      var members: [String: Attribute] = [:]
      try list(from: "{", to: "}") { (parser) throws(SDError) in
        let key = try parser.key()
        guard members[key] == nil else { throw parser.error("attribute \(key.quoted) is given twice") }
        try parser.advance()
        try parser.expect(.symbol("="))
        members[key] = try parser.attribute(depth: depth + 1)
      }
      return .record(members)
    case .word("null"): result = .null
    case .word("true"): result = .bool(true)
    case .word("false"): result = .bool(false)
    case .word(let word) where word == "inf" || word == "nan": result = .number(word)
    case .number(let literal): result = .number(literal)
    case .string(let text): result = .string(text)
    default: throw expected("an attribute's value")
    }
    try advance()
    return result
  }

  private func key() throws(SDError) -> String {
    switch token {
    case .word(let key): return key
    case .string(let key) where key.utf8.count <= Verifier.maximumNameLength: return key
    default: throw expected("an attribute's name")
    }
  }
}
