import GraphIR
import TestSupport
import Testing

@Suite struct VerifierTests {
  private let type = TensorType(.f32, [2])

  private func node(_ op: any Op, _ operands: [ValueID] = [], _ types: [TensorType]? = nil) -> Graph.Node {
    Graph.Node(op: op, operands: operands, types: types ?? [type], location: "here")
  }

  private func value(_ node: Int, _ result: Int = 0) -> ValueID { ValueID(NodeID(node), result) }

  /// A graph of nodes as they are, valid or not, with the last one as output.
  private func graph(_ nodes: [Graph.Node], outputs: [Graph.Output]? = nil) -> Graph {
    var graph = Graph(name: "g")
    graph.nodes = nodes
    graph.outputs = outputs ?? [Graph.Output(name: "out", value: value(nodes.count - 1))]
    return graph
  }

  private var input: Graph.Node { node(Input(name: "x", type: type)) }

  @Test func rulesAreNumbered() throws {
    #expect(Verifier.rules.map(\.number) == [1, 2, 3, 4, 5, 6, 7])
    try Verifier().verify(graph([input, node(Exp(), [value(0)])]))
  }

  @Test func order() {
    expectError(.invalid, "V1: operand 0 of %1 sd.exp is %1#0, no result of an earlier node, at 'here'") {
      try Verifier().verify(graph([input, node(Exp(), [value(1)])]))
    }
    expectError(.invalid, "V1: operand 0 of %1 sd.exp is %0#1, no result of an earlier node, at 'here'") {
      try Verifier().verify(graph([input, node(Exp(), [value(0, 1)])]))
    }
    expectError(.invalid, "V1: output 'out' is no result of a node, at 'g'") {
      try Verifier().verify(graph([input], outputs: [Graph.Output(name: "out", value: value(1))]))
    }
  }

  @Test func types() {
    expectError(.invalid, "V2: %1 sd.exp is stored as f16[2], its type rule gives f32[2], at 'here'") {
      try Verifier().verify(graph([input, node(Exp(), [value(0)], [TensorType(.f16, [2])])]))
    }
    expectError(.invalid, "V2: %1 [sd.exp] takes 1 operand, it has 2, at 'here'") {
      try Verifier().verify(graph([input, node(Exp(), [value(0), value(0)])]))
    }
  }

  @Test func attributes() {
    expectError(.invalid, "V3: %0 lab.verify.lossy: V3: unknown attribute 'x', at 'here'") {
      try Verifier().verify(graph([node(Lossy(x: 1))]))
    }
    expectError(
      .invalid,
      "V3: %0 lab.verify.forgetful writes its attributes as {x = 1} and reads them back as {x = 0}, at 'here'"
    ) {
      try Verifier().verify(graph([node(Forgetful(x: 1))]))
    }
  }

  @Test func parameters() {
    let w = node(Parameter(name: "w", type: type))
    let other = TensorType(.f16, [2])
    expectError(.invalid, "V4: parameter 'w' is f32[2] and f16[2], at 'here'") {
      try Verifier().verify(graph([w, node(Parameter(name: "w", type: other), [], [other])]))
    }
  }

  @Test func inputs() {
    expectError(.invalid, "V5: no output depends on input 'x', at 'here'") {
      try Verifier().verify(graph([input, node(Parameter(name: "w", type: type))]))
    }
  }

  @Test func names() {
    expectError(.invalid, "V6: an input's name has a control character, at 'here'") {
      try Verifier().verify(graph([node(Input(name: "a\u{1B}[31m", type: type))]))
    }
    expectError(.invalid, "V6: a parameter's name has 300 bytes; 256 are allowed, at 'here'") {
      try Verifier().verify(graph([node(Parameter(name: String(repeating: "é", count: 150), type: type))]))
    }
    expectError(.invalid, "V6: an operation is named 'lab verify.x', at 'here'") {
      try Verifier().verify(graph([node(BadName())]))
    }
    let second = node(Input(name: "x", type: type, rate: .prompt))
    let both = [0, 1].map { Graph.Output(name: "\($0)", value: value($0)) }
    expectError(.invalid, "V6: two inputs are named 'x', at 'here'") {
      try Verifier().verify(graph([input, second], outputs: both))
    }
    expectError(.invalid, "V6: two outputs are named 'out', at 'g'") {
      try Verifier().verify(
        graph([input], outputs: [0, 0].map { Graph.Output(name: "out", value: value($0)) }))
    }
  }

  @Test func limits() {
    let large = TensorType(.f32, [1 << 31, 1 << 31])
    expectError(.invalid, "V7: %0 sd.causal_mask f32[2147483648, 2147483648] is too large, at 'here'") {
      try Verifier().verify(graph([node(CausalMask(size: 1 << 31), [], [large])]))
    }
    let outputs = (0..<4097).map { Graph.Output(name: "\($0)", value: value(0)) }
    expectError(.invalid, "V7: 4097 outputs; 4096 are allowed, at 'g'") {
      try Verifier().verify(graph([input], outputs: outputs))
    }
  }
}

/// Loses its attribute when it is read.
private struct Lossy: LeafOp {
  static let id = OpID("lab.verify", "lossy", version: 1)
  var x: Int?
  init(x: Int?) { self.x = x }
  init(from decoder: any Decoder) throws { x = nil }
}

/// Reads another value than it writes.
private struct Forgetful: LeafOp {
  static let id = OpID("lab.verify", "forgetful", version: 1)
  var x: Int
  init(x: Int) { self.x = x }
  init(from decoder: any Decoder) throws { x = 0 }
}

private struct BadName: LeafOp {
  static let id = OpID("lab verify", "x", version: 1)
}

private protocol LeafOp: PrimitiveOp {}

extension LeafOp {
  func types(of operands: [TensorType]) throws(SDError) -> [TensorType] { [TensorType(.f32, [2])] }
  func evaluate(_ operands: [Tensor]) throws(SDError) -> [Tensor] { [Tensor([2], [0, 0])] }
}
