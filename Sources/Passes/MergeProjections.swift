public import GraphIR

/// Computes several linear layers of one tensor as one:
/// `x·W₁ᵀ + b₁, x·W₂ᵀ + b₂, … → slices of x · concat(W₁, W₂, …)ᵀ + concat(b₁, b₂, …)`.
///
/// These are q, k and v of an attention, the keys and values that all layers make from one text, and the
/// projections that all blocks make of one time embedding.
public struct MergeProjections: Pass {
  /// `merge-projections`.
  public let name = "merge-projections"

  /// The pass; it has no settings.
  public init() {}

  /// x · wᵀ.
  private static let linear = Pattern.op(MatMul.self, ["x", .weight("w")], as: "product") { $0.transposeB }
  /// x · wᵀ + b.
  private static let biased = Pattern.op(Add.self, [linear, .weight("b")])

  /// A linear layer: its last node, and what it reads.
  private struct Projection {
    var root: NodeID
    var weight: ValueID
    var bias: ValueID?
  }

  /// Layers with equal keys can be merged.
  private struct Key: Hashable {
    var x: ValueID
    var weight: DType
    var bias: DType?
  }

  /// Computes all layers of a group where the first of them was.
  public func run(_ graph: Graph, _ context: inout PassContext) throws(SDError) -> Graph {
    let graph = try graph.pruned()
    let groups = MergeProjections.groups(in: graph)
    let copy = GraphCopy(of: graph)
    for id in graph.ids {
      if let (x, group) = groups[id], context.countRewrite() {
        try copy.builder.at(graph[id].location) { () throws(SDError) in
          try MergeProjections.merge(group, of: x, copy)
        }
      }
      _ = try copy.value(ValueID(id))
    }
    return try copy.finished()
  }

  private static func merge(_ group: [Projection], of x: ValueID, _ copy: GraphCopy) throws(SDError) {
    let weights = try copy.values(group.map(\.weight))
    let biases = try copy.values(group.compactMap(\.bias))
    let bias = try biases.isEmpty ? nil : copy.builder.concat(biases, axis: 0)
    let merged = try copy.value(x).linear(copy.builder.concat(weights, axis: 0), bias)
    var start = 0
    for (projection, weight) in zip(group, weights) {
      let end = start + weight.shape[0]
      copy.replace(projection.root, by: [try merged.sliced(start..<end)])
      start = end
    }
  }

  /// The groups of two layers or more, by their first product.
  private static func groups(in graph: Graph) -> [NodeID: (x: ValueID, group: [Projection])] {
    let matcher = Matcher(graph)
    var layers: [NodeID: (key: Key, projection: Projection)] = [:]
    for pattern in [biased, linear] {
      for root in graph.ids {
        guard let found = matcher.matches(pattern, at: root).first?.values,
          let product = found["product"]?.node,
          let x = found["x"], let weight = found["w"], layers[product] == nil,
          graph.type(of: weight).rank == 2, graph[root].types == graph[product].types
        else { continue }
        let columns = graph.type(of: weight).shape[0]
        if let bias = found["b"], graph.type(of: bias).shape != [columns] { continue }
        let key = Key(
          x: x, weight: graph.type(of: weight).dtype, bias: found["b"].map { graph.type(of: $0).dtype })
        layers[product] = (key, Projection(root: root, weight: weight, bias: found["b"]))
      }
    }
    let ordered = layers.sorted { $0.key < $1.key }
    let groups = Dictionary(grouping: ordered) { $0.value.key }.values.filter { $0.count > 1 }
    return Dictionary(
      uniqueKeysWithValues: groups.map { ($0[0].key, ($0[0].value.key.x, $0.map(\.value.projection))) })
  }
}
