import GraphIR

/// What tests ask of a declared graph.
extension Graph {
  /// Number of elements of all parameters.
  var parameterElements: Int { parameters.reduce(0) { $0 + $1.parameter.type.count } }

  /// The shape of a parameter, nil if there is none of that name.
  func parameterShape(_ name: String) -> [Int]? {
    parameters.first { $0.parameter.name == name }?.parameter.type.shape
  }

  /// The shape of an output, nil if there is none of that name.
  func outputShape(_ name: String) -> [Int]? {
    outputs.first { $0.name == name }.map { type(of: $0.value).shape }
  }

  /// How often each op occurs at each rate, the rate of a node being the highest of its inputs'.
  func opCounts(at rate: Rate) -> [String: Int] {
    var rates: [Rate] = []
    var counts: [String: Int] = [:]
    for node in nodes {
      let own = (node.op as? Input)?.rate ?? .constant
      rates.append(node.operands.map { rates[$0.node.index] }.max().map { max($0, own) } ?? own)
      if rates.last == rate { counts["\(Swift.type(of: node.op).id)", default: 0] += 1 }
    }
    return counts
  }

  /// How often an op of the second kind reads the result of one of the first.
  func count<A: Op, B: Op>(_ first: A.Type, before second: B.Type) -> Int {
    nodes.count { $0.op is B && $0.operands.contains { self[$0.node].op is A } }
  }

  /// Values for the parameters that look random and depend on names only.
  static func weights(_ parameter: Parameter) throws(SDError) -> Tensor {
    var state = parameter.name.utf8.reduce(UInt64(1)) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    return Tensor(
      parameter.type,
      (0..<parameter.type.count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Float(state >> 40) / Float(1 << 24) - 0.5
      })
  }
}
