extension Graph: Equatable {
  /// Whether name, nodes (with their locations) and outputs are the same, in the same order.
  public static func == (a: Graph, b: Graph) -> Bool {
    a.name == b.name && a.nodes == b.nodes && a.outputs == b.outputs
  }
}

extension Graph.Node: Equatable {
  /// Whether op, attributes, operands, types and location are the same.
  public static func == (a: Graph.Node, b: Graph.Node) -> Bool {
    a.op.isEqual(to: b.op) && a.operands == b.operands && a.types == b.types && a.location == b.location
  }
}
