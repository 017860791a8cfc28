public import GraphIR

/// What a pattern has found, as values of the graph that is being built.
public struct Match {
  /// Where the replacement is built; new ops take the location of the root.
  public var builder: GraphBuilder { copy.builder }
  /// The type that the replacement must have.
  public let type: TensorType
  private let copy: GraphCopy
  private let captures: Matcher.Captures
  private let rates: [Rate]

  init(_ root: NodeID, _ captures: Matcher.Captures, _ copy: GraphCopy, rates: [Rate]) {
    type = copy.source.type(of: ValueID(root))
    (self.captures, self.copy, self.rates) = (captures, copy, rates)
  }

  /// A captured value.
  ///
  /// - Throws: `SDError` when the pattern captures nothing under that name.
  public subscript(name: String) -> Value {
    get throws(SDError) { try copy.value(id(name)) }
  }

  /// Whether the matched alternative captures something under that name.
  public func has(_ name: String) -> Bool { captures.values[name] != nil }

  /// How often a captured value changes.
  ///
  /// - Throws: `SDError` when the pattern captures nothing under that name.
  func rate(_ name: String) throws(SDError) -> Rate { rates[try id(name).node.index] }

  /// A captured op with its attributes.
  ///
  /// - Throws: `SDError` when it is another op, or the pattern captures nothing under that name.
  public func op<O: Op>(_ name: String, as type: O.Type = O.self) throws(SDError) -> O {
    let node = copy.source[try id(name).node]
    guard let op = node.op as? O else {
      throw SDError(.invalid, "capture '\(name)' is [\(Swift.type(of: node.op).id)], not [\(O.id)]")
    }
    return op
  }

  /// Builds the successor of a captured op, which keeps that op's location: the layer that does the work.
  ///
  /// - Throws: `SDError` from the type rule, and when the pattern captures nothing under that name.
  public func replacing(_ name: String, by op: any Op, _ operands: [Value]) throws(SDError) -> Value {
    try builder.add(op, operands, at: copy.source[try id(name).node].location)
  }

  /// The operands of a captured op.
  ///
  /// - Throws: `SDError` when the pattern captures nothing under that name.
  public func operands(_ name: String) throws(SDError) -> [Value] {
    try copy.values(copy.source[try id(name).node].operands)
  }

  /// The captured value when it has the type of the root, otherwise nil: the right side of `x + 0 → x`.
  ///
  /// - Throws: `SDError` when the pattern captures nothing under that name.
  public func unchanged(_ name: String) throws(SDError) -> Value? {
    let value = try self[name]
    return value.type == type ? value : nil
  }

  private func id(_ name: String) throws(SDError) -> ValueID {
    guard let id = captures.values[name] else {
      throw SDError(.invalid, "the pattern captures nothing under the name '\(name)'")
    }
    return id
  }
}
