/// Builds a graph. Ops are put in by methods of `Value`, each in its op's file: `x.conv2d(weight, stride: 2)`.
public final class GraphBuilder {
  /// The graph so far.
  public private(set) var graph: Graph
  /// Prefix of the locations of new nodes.
  public private(set) var location: String

  /// Starts an empty graph; locations begin with its name.
  public init(name: String) {
    graph = Graph(name: name)
    location = name
  }

  /// Runs `body` with `.name` added to the location of the nodes it makes.
  public func scope<Result>(_ name: String, _ body: () throws(SDError) -> Result) throws(SDError) -> Result {
    let outer = location
    location = outer.isEmpty ? name : "\(outer).\(name)"
    defer { location = outer }
    return try body()
  }

  /// Runs `body` with a whole new location; passes use it to keep the location of what they replace.
  public func at<Result>(_ location: String, _ body: () throws(SDError) -> Result) throws(SDError) -> Result {
    let outer = self.location
    self.location = location
    defer { self.location = outer }
    return try body()
  }

  /// Adds an op and returns all of its results.
  ///
  /// - Throws: `SDError` from the type rule, or when an operand belongs to another builder.
  public func results(of op: any Op, _ operands: [Value]) throws(SDError) -> [Value] {
    for operand in operands where operand.builder !== self {
      throw SDError(.usage, "[\(type(of: op).id)] operand from another graph, at '\(location)'")
    }
    let id = try graph.add(op, operands.map(\.id), location: location)
    return graph[id].types.indices.map { Value(self, ValueID(id, $0)) }
  }

  /// Adds an op with one result.
  ///
  /// - Throws: as `results(of:_:)`.
  public func add(_ op: any Op, _ operands: [Value]) throws(SDError) -> Value {
    try results(of: op, operands)[0]
  }

  /// Names a value as a result of the graph.
  ///
  /// - Throws: `SDError` when the name is taken.
  public func output(_ name: String, _ value: Value) throws(SDError) {
    try graph.addOutput(name, value.id)
  }

  /// The handle of a value that the graph already has.
  public func value(_ id: ValueID) -> Value { Value(self, id) }
}

/// A value of a graph under construction; its methods are the operations.
public struct Value {
  /// Where the graph is being built.
  public let builder: GraphBuilder
  /// Which value it is there.
  public let id: ValueID

  init(_ builder: GraphBuilder, _ id: ValueID) {
    self.builder = builder
    self.id = id
  }

  /// Element type and shape.
  public var type: TensorType { builder.graph.type(of: id) }

  /// The dimensions, outermost first.
  public var shape: [Int] { type.shape }

  /// Applies an op with one result to this value and the others.
  ///
  /// - Throws: `SDError` from the op's type rule.
  public func applying(_ op: any Op, _ others: Value...) throws(SDError) -> Value {
    try builder.add(op, [self] + others)
  }
}
