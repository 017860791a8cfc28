public import GraphIR

/// Leaves the scale and shift of a normalization to the products that read it:
/// `fusedConv([(n · γ + β) · W], bias b) → fusedConv([n · (W · diag γ)], bias b + W · β)`.
///
/// n is a `LayerNorm`, or a `Normalize` without activation, that is read by products alone, each of which looks at
/// single pixels: at a border padded with zeros the shift would be missing. The new weights are computed when the plan
/// is made, before they are rounded.
public struct FoldNormAffine: Pass {
  /// `fold-norm-affine`.
  public let name = "fold-norm-affine"

  /// The pass; it has no settings.
  public init() {}

  /// Takes γ and β off normalizations, and puts them into the weights that follow.
  public func run(_ graph: Graph, _ context: inout PassContext) throws(SDError) -> Graph {
    let graph = try graph.pruned()
    let foldable = FoldNormAffine.foldable(in: graph)
    let copy = GraphCopy(of: graph)
    // For every value that lacks them: γ and β.
    var missing: [NodeID: [ValueID]] = [:]
    for id in graph.ids {
      let node = graph[id]
      if foldable[id.index], context.countRewrite() {
        missing[id] = node.operands.suffix(2)
        let plain = try copy.builder.add(node.op, copy.values(node.operands.dropLast(2)), at: node.location)
        copy.replace(id, by: [plain])
      } else if let conv = node.op as? FusedConv {
        let sum = try copy.builder.at(node.location) { () throws(SDError) in
          try FoldNormAffine.absorb(conv, node.operands, missing, copy)
        }
        copy.replace(id, by: [sum])
      } else {
        if node.op is Reshape { missing[id] = missing[node.operands[0].node] }
        _ = try copy.value(ValueID(id))
      }
    }
    return try copy.finished()
  }

  /// The convolution with what its sources lack in its weights and its bias.
  private static func absorb(
    _ conv: FusedConv, _ operands: [ValueID], _ missing: [NodeID: [ValueID]], _ copy: GraphCopy
  ) throws(SDError) -> Value {
    var (conv, values) = (conv, try copy.values(operands))
    var shift: Value?
    for index in conv.sources.indices {
      guard let affine = try missing[operands[2 * index].node].map(copy.values) else { continue }
      let (w, columns) = (values[2 * index + 1], values[2 * index + 1].shape[1])
      let ones = [Int](repeating: 1, count: w.type.rank - 2)
      values[2 * index + 1] = try w.multiplied(by: affine[0].reshaped([columns] + ones))
      let matrix = try w.reshaped([w.shape[0], columns])
      let sum = try affine[1].reshaped([1, columns]).matmul(matrix, transposeB: true).reshaped([w.shape[0]])
      shift = try shift?.adding(sum) ?? sum
    }
    if let shift {
      let first = conv.epilogueOperands
      if conv.epilogues.first == .bias {
        values[first] = try values[first].adding(shift)
      } else {
        conv.epilogues.insert(.bias, at: 0)
        values.insert(shift, at: first)
      }
    }
    return try copy.builder.add(conv, values)
  }

  /// For every node, whether it is a normalization whose γ and β all of its readers can take.
  private static func foldable(in graph: Graph) -> [Bool] {
    let rates = graph.rates()
    // A reshape takes what its own readers take.
    let takes = graph.allReaders { reader, slot, answers in
      let node = graph[reader]
      switch node.op {
      case let conv as FusedConv:
        return isPointwise(conv, slot, node, graph) && rates[node.operands[slot + 1].node.index] == .constant
      case is Reshape:
        return answers[reader.index] && node.types[0].lastDimension == graph.type(of: node.operands[0]).lastDimension
      default:
        return false
      }
    }
    return zip(graph.nodes, takes).map { node, takes in
      takes && isAffine(node) && node.operands.suffix(2).allSatisfy { rates[$0.node.index] == .constant }
    }
  }

  /// Whether an operand of a convolution is an image whose pixels it reads one by one.
  private static func isPointwise(_ conv: FusedConv, _ slot: Int, _ node: Graph.Node, _ graph: Graph) -> Bool {
    guard slot < 2 * conv.sources.count, slot % 2 == 0 else { return false }
    let source = conv.sources[slot / 2]
    let window = graph.type(of: node.operands[slot + 1]).shape.dropFirst(2)
    return window.allSatisfy { $0 == 1 } && source.padding == Padding(0) && source.normalize == nil
  }

  /// Whether a node is a normalization that ends in its scale and shift.
  private static func isAffine(_ node: Graph.Node) -> Bool {
    switch node.op {
    case is LayerNorm: node.operands.count == 3
    case let norm as Normalize: node.operands.count == 4 && norm.activation == nil
    default: false
    }
  }
}
