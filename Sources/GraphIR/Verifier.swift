/// Checks what every valid graph keeps, by numbered rules; runs after every pass and on every graph from a file.
public struct Verifier: Sendable {
  /// One thing that holds for every valid graph.
  public struct Rule: Sendable {
    /// The number by which messages cite it: `V2`.
    public let number: Int
    /// What holds.
    public let sentence: String
    /// The first violation, if any.
    let violation: @Sendable (Graph) -> Violation?

    init(_ number: Int, _ sentence: String, _ violation: @escaping @Sendable (Graph) -> Violation?) {
      (self.number, self.sentence, self.violation) = (number, sentence, violation)
    }
  }

  /// What breaks a rule, and where.
  struct Violation {
    let message: String
    let location: String

    init(_ message: String, at location: String) {
      (self.message, self.location) = (message, location)
    }
  }

  /// Nodes a graph may have (V7).
  public static let maximumNodes = 1_000_000
  /// Outputs a graph may have (V7).
  public static let maximumOutputs = 4096
  /// Bytes of UTF-8 a name may have (V6).
  public static let maximumNameLength = 256

  /// All rules, in the order in which they are checked; later ones rely on earlier ones.
  public static let rules: [Rule] = [
    Rule(1, "Operands are results of earlier nodes, outputs are results of nodes.", order),
    Rule(2, "Stored result types are what the type rule gives.", types),
    Rule(3, "Attributes can be written as text and read back.", attributes),
    Rule(4, "Parameters of one name have one type.", parameters),
    Rule(5, "An output depends on every input.", inputs),
    Rule(6, "Names are unique, without control characters, at most 256 bytes of UTF-8.", names),
    Rule(
      7, "At most 1,000,000 nodes and 4096 outputs; rank at most 8, dimensions below 2³¹, bytes fit.", limits),
  ]

  private let rules: [Rule]

  /// A verifier of some of the rules, by default all.
  public init(rules: [Rule] = Verifier.rules) { self.rules = rules }

  /// Checks a graph.
  ///
  /// - Throws: `SDError` `.invalid` for the first violation: its rule's number, what is wrong, and the location.
  public func verify(_ graph: Graph) throws(SDError) {
    for rule in rules {
      guard let violation = rule.violation(graph) else { continue }
      throw SDError(.invalid, "V\(rule.number): \(violation.message), at '\(violation.location)'")
    }
  }

  /// Why a text cannot be a name (V6): the rest of a sentence that begins with what it names.
  static func objection(toName name: String) -> String? {
    let length = name.utf8.count
    if length > maximumNameLength { return "has \(length) bytes; \(maximumNameLength) are allowed" }
    if name.unicodeScalars.contains(where: \.isControl) { return "has a control character" }
    return nil
  }
}

extension Verifier {
  private static func order(_ graph: Graph) -> Violation? {
    func exists(_ value: ValueID, before end: Int) -> Bool {
      (0..<end).contains(value.node.index) && graph[value.node].types.indices.contains(value.result)
    }
    for (index, node) in graph.nodes.enumerated() {
      for (position, operand) in node.operands.enumerated() where !exists(operand, before: index) {
        return Violation(
          "operand \(position) of %\(index) \(node.name) is %\(operand.node.index)#\(operand.result), "
            + "no result of an earlier node", at: node.location)
      }
    }
    for output in graph.outputs where !exists(output.value, before: graph.nodes.count) {
      return Violation("output '\(output.name)' is no result of a node", at: graph.name)
    }
    return nil
  }

  private static func types(_ graph: Graph) -> Violation? {
    for (index, node) in graph.nodes.enumerated() {
      do {
        let types = try node.op.types(of: node.operands.map { graph.type(of: $0) })
        guard types != node.types else { continue }
        return Violation(
          "%\(index) \(node.name) is stored as \(node.types.list), its type rule gives \(types.list)",
          at: node.location)
      } catch {
        return Violation("%\(index) \(error.message)", at: node.location)
      }
    }
    return nil
  }

  private static func attributes(_ graph: Graph) -> Violation? {
    for (index, node) in graph.nodes.enumerated() {
      do {
        let (written, read) = try attributes(of: node.op)
        guard read != written else { continue }
        return Violation(
          "%\(index) \(node.name) writes its attributes as \(written) and reads them back as \(read)",
          at: node.location)
      } catch {
        return Violation("%\(index) \(node.name): \(error.message)", at: node.location)
      }
    }
    return nil
  }

  /// The attributes that an op writes, and those that it writes after it was read from them.
  private static func attributes<T: Op>(of op: T) throws(SDError) -> (written: Attribute, read: Attribute) {
    let written = try AttributeEncoder.encode(op)
    return (written, try AttributeEncoder.encode(AttributeDecoder.decode(T.self, from: written)))
  }

  private static func parameters(_ graph: Graph) -> Violation? {
    var types: [String: TensorType] = [:]
    for (id, parameter) in graph.parameters {
      let first = types[parameter.name] ?? parameter.type
      types[parameter.name] = first
      guard first != parameter.type else { continue }
      return Violation(
        "parameter '\(parameter.name.printable)' is \(first) and \(parameter.type)", at: graph[id].location)
    }
    return nil
  }

  private static func inputs(_ graph: Graph) -> Violation? {
    let live = graph.liveness()
    for (id, input) in graph.inputs where !live[id.index] {
      return Violation("no output depends on input '\(input.name.printable)'", at: graph[id].location)
    }
    return nil
  }

  private static func names(_ graph: Graph) -> Violation? {
    var names = [("the graph's name", graph.name, graph.name)]
    names += graph.outputs.map { ("an output's name", $0.name, graph.name) }
    names += graph.inputs.map { ("an input's name", $1.name, graph[$0].location) }
    names += graph.parameters.map { ("a parameter's name", $1.name, graph[$0].location) }
    names += graph.nodes.map { ("a location", $0.location, $0.location) }
    names += graph.nodes.map { ("an operation's name", $0.name, $0.location) }
    for (what, name, location) in names {
      if let reason = objection(toName: name) {
        return Violation("\(what) \(reason)", at: location.printable)
      }
    }
    for node in graph.nodes where !node.name.isWord {
      return Violation("an operation is named '\(node.name)'", at: node.location)
    }
    var seen: Set<String> = []
    for (id, input) in graph.inputs where !seen.insert(input.name).inserted {
      return Violation("two inputs are named '\(input.name)'", at: graph[id].location)
    }
    seen = []
    for output in graph.outputs where !seen.insert(output.name).inserted {
      return Violation("two outputs are named '\(output.name)'", at: graph.name)
    }
    return nil
  }

  private static func limits(_ graph: Graph) -> Violation? {
    for (count, maximum, what) in [
      (graph.nodes.count, maximumNodes, "nodes"), (graph.outputs.count, maximumOutputs, "outputs"),
    ] where count > maximum {
      return Violation("\(count) \(what); \(maximum) are allowed", at: graph.name)
    }
    for (index, node) in graph.nodes.enumerated() {
      for type in node.types where type.checked() == nil {
        return Violation("%\(index) \(node.name) \(type) is too large", at: node.location)
      }
    }
    return nil
  }
}

extension Graph.Node {
  /// The op's name.
  fileprivate var name: String { "\(type(of: op).id)" }
}
