package import GraphIR

/// Copies values of one graph into a builder; a node is copied, after its operands, when its value is first asked
/// for, unless something else was put in its place before.
package final class GraphCopy {
  /// The graph that is copied.
  package let source: Graph
  /// Where the copies go.
  package let builder: GraphBuilder
  private let location: String?
  private var copies: [[Value]?]

  /// Nothing is copied yet. Copies keep their locations unless they all get one.
  package init(of source: Graph, into builder: GraphBuilder? = nil, location: String? = nil) {
    self.source = source
    self.location = location
    self.builder = builder ?? GraphBuilder(name: source.name)
    copies = Array(repeating: nil, count: source.nodes.count)
  }

  /// The copy of a value.
  ///
  /// - Throws: `SDError` from the type rules, when operands were replaced by values of other types.
  package func value(_ id: ValueID) throws(SDError) -> Value {
    if let copies = copies[id.node.index] { return copies[id.result] }
    let node = source[id.node]
    let operands = try values(node.operands)
    let results = try builder.results(of: node.op, operands, at: location ?? node.location)
    copies[id.node.index] = results
    return results[id.result]
  }

  /// The copies of several values.
  package func values(_ ids: [ValueID]) throws(SDError) -> [Value] {
    var result: [Value] = []
    for id in ids { result.append(try value(id)) }
    return result
  }

  /// Lets other values of the builder stand for the results of a node.
  package func replace(_ node: NodeID, by results: [Value]) { copies[node.index] = results }

  /// Copies every node that an output needs, in order, so that `value` never recurses deeply.
  package func copyLiveNodes() throws(SDError) {
    let live = source.liveness()
    for id in source.ids where live[id.index] { _ = try value(ValueID(id)) }
  }

  /// Copies the outputs and returns the finished graph without what it does not need.
  package func finished() throws(SDError) -> Graph {
    try copyLiveNodes()
    for output in source.outputs { try builder.output(output.name, try value(output.value)) }
    return try builder.graph.pruned()
  }
}

extension GraphBuilder {
  /// Adds an op at a location and returns all of its results.
  func results(of op: any Op, _ operands: [Value], at location: String) throws(SDError) -> [Value] {
    try at(location) { () throws(SDError) -> [Value] in try results(of: op, operands) }
  }

  /// Adds an op with one result at a location.
  func add(_ op: any Op, _ operands: [Value], at location: String) throws(SDError) -> Value {
    try at(location) { () throws(SDError) -> Value in try add(op, operands) }
  }
}

extension Graph {
  /// The graph without nodes on which no output depends; itself when there are none.
  package func pruned() throws(SDError) -> Graph {
    if liveness().allSatisfy(\.self) { return self }
    let copy = GraphCopy(of: self)
    try copy.copyLiveNodes()
    for output in outputs { try copy.builder.output(output.name, try copy.value(output.value)) }
    return copy.builder.graph
  }

  /// For every node, how often it changes: the highest rate of the inputs on which it depends.
  ///
  /// - Parameter known: the rates of the first nodes, when they were computed before.
  package func rates(known: [Rate] = []) -> [Rate] {
    var rates = known
    rates.reserveCapacity(nodes.count)
    for node in nodes[known.count...] {
      let own = (node.op as? Input)?.rate ?? .constant
      rates.append(node.operands.reduce(own) { max($0, rates[$1.node.index]) })
    }
    return rates
  }
}
