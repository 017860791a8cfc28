/// Addresses a node of one graph.
public struct NodeID: Hashable, Comparable, Sendable {
  /// Position in `Graph.nodes`.
  public let index: Int

  /// The node at a position.
  public init(_ index: Int) { self.index = index }

  /// Order of definition.
  public static func < (a: NodeID, b: NodeID) -> Bool { a.index < b.index }
}

/// Addresses one result of a node.
public struct ValueID: Hashable, Sendable {
  /// The node that computes the value.
  public let node: NodeID
  /// Which of its results.
  public let result: Int

  /// Result `result` of a node.
  public init(_ node: NodeID, _ result: Int = 0) {
    self.node = node
    self.result = result
  }
}

/// A static computation: an append-only array of interned nodes. A value type.
///
/// A node's operands are always earlier nodes, so the array is in topological order and has no cycles. Adding an
/// op with operands that are already there returns the node that is already there, so that common
/// subexpressions never exist twice.
public struct Graph: Sendable {
  /// An op applied to operands.
  public struct Node: Sendable {
    /// What is computed.
    public let op: any Op
    /// From what.
    public let operands: [ValueID]
    /// The types of the results, as the op's type rule gives them.
    public let types: [TensorType]
    /// Where the model declared it: `unet.down_blocks.0.resnets.1.norm1`. Kept through all passes.
    public let location: String

    /// A node as it is, unchecked; `Graph.add` makes valid ones.
    package init(op: any Op, operands: [ValueID], types: [TensorType], location: String) {
      (self.op, self.operands, self.types, self.location) = (op, operands, types, location)
    }
  }

  /// A named result of the graph.
  public struct Output: Hashable, Sendable {
    /// The name under which the caller finds it.
    public var name: String
    /// The value.
    public var value: ValueID

    /// A named value, unchecked; `Graph.addOutput` makes valid ones.
    package init(name: String, value: ValueID) {
      (self.name, self.value) = (name, value)
    }
  }

  /// What the graph computes, for messages and files.
  public var name: String
  /// All nodes, operands before users.
  public package(set) var nodes: [Node] = []
  /// The results, in the order they were named.
  public package(set) var outputs: [Output] = []
  private var interned: [InternKey: NodeID] = [:]

  /// An empty graph.
  public init(name: String) { self.name = name }

  /// The node behind an id of this graph.
  public subscript(id: NodeID) -> Node { nodes[id.index] }

  /// The type of a value of this graph.
  public func type(of value: ValueID) -> TensorType { nodes[value.node.index].types[value.result] }

  /// All ids in order of definition.
  public var ids: some RandomAccessCollection<NodeID> { nodes.indices.lazy.map { NodeID($0) } }

  /// The graph's inputs in order of definition.
  public var inputs: [(id: NodeID, input: Input)] {
    ids.compactMap { id in (self[id].op as? Input).map { (id, $0) } }
  }

  /// The checkpoint tensors that the graph reads, in order of definition.
  public var parameters: [(id: NodeID, parameter: Parameter)] {
    ids.compactMap { id in (self[id].op as? Parameter).map { (id, $0) } }
  }

  /// Adds an op, or finds the equal node that is already there.
  ///
  /// - Throws: `SDError` from the op's type rule, with the location in its message, or for an operand that is not a
  ///   value of this graph.
  public mutating func add(
    _ op: any Op, _ operands: [ValueID], location: String
  ) throws(SDError) -> NodeID {
    for (position, operand) in operands.enumerated() {
      guard nodes.indices.contains(operand.node.index),
        self[operand.node].types.indices.contains(operand.result)
      else {
        throw SDError(
          .usage, "[\(Swift.type(of: op).id)] operand \(position) is no value of this graph, at '\(location)'"
        )
      }
    }
    let key = InternKey(op: op, operands: operands)
    if let id = interned[key] { return id }
    let types: [TensorType]
    do {
      types = try op.types(of: operands.map { type(of: $0) })
    } catch {
      throw SDError(error.code, "\(error.message), at '\(location)'", hint: error.hint)
    }
    guard !types.isEmpty else {
      throw SDError(.invalid, "[\(Swift.type(of: op).id)] gives no result, at '\(location)'")
    }
    for type in types where type.checked() == nil {
      throw SDError(.invalid, "[\(Swift.type(of: op).id)] result \(type) is too large, at '\(location)'")
    }
    let id = NodeID(nodes.count)
    nodes.append(Node(op: op, operands: operands, types: types, location: location))
    interned[key] = id
    return id
  }

  /// Names a value as a result of the graph; the name must be new.
  ///
  /// - Throws: `SDError` when an output of that name exists.
  public mutating func addOutput(_ name: String, _ value: ValueID) throws(SDError) {
    guard !outputs.contains(where: { $0.name == name }) else {
      throw SDError(.invalid, "graph '\(self.name)' already has an output '\(name)'")
    }
    outputs.append(Output(name: name, value: value))
  }

  /// For every node, how many operands and outputs refer to it.
  public func useCounts() -> [Int] {
    var counts = [Int](repeating: 0, count: nodes.count)
    for node in nodes { for operand in node.operands { counts[operand.node.index] += 1 } }
    for output in outputs { counts[output.value.node.index] += 1 }
    return counts
  }

  /// For every node, whether an output depends on it.
  public func liveness() -> [Bool] {
    var live = [Bool](repeating: false, count: nodes.count)
    for output in outputs { live[output.value.node.index] = true }
    for index in nodes.indices.reversed() where live[index] {
      for operand in nodes[index].operands { live[operand.node.index] = true }
    }
    return live
  }

  /// How often each op occurs, by name.
  public func opCounts() -> [String: Int] {
    nodes.reduce(into: [:]) { $0[Swift.type(of: $1.op).id.description, default: 0] += 1 }
  }

  /// Floating-point operations of one evaluation; `Int.max` when they are more.
  public var flops: Int {
    nodes.reduce(0) { saturatingSum($0, flops(of: $1)) }
  }

  /// Floating-point operations of one node of this graph.
  package func flops(of node: Node) -> Int {
    node.op.flops(operands: node.operands.map { type(of: $0) }, results: node.types)
  }
}

/// What makes two nodes equal: op (type and attributes) and operands.
private struct InternKey: Hashable, Sendable {
  let op: any Op
  let operands: [ValueID]

  static func == (a: InternKey, b: InternKey) -> Bool {
    a.operands == b.operands && a.op.isEqual(to: b.op)
  }

  func hash(into hasher: inout Hasher) {
    hasher.combine(ObjectIdentifier(type(of: op)))
    op.hash(into: &hasher)
    hasher.combine(operands)
  }
}

extension Op {
  /// Whether the other op has the same type and the same attributes.
  public func isEqual(to other: any Op) -> Bool { (other as? Self) == self }
}
