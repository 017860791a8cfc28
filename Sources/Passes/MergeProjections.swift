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

  /// A linear layer: its product, its last node, and what it reads.
  private struct Layer {
    var product: NodeID
    var root: NodeID
    var x: ValueID
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
      if let group = groups[id], context.countRewrite() {
        try copy.builder.at(graph[id].location) { () throws(SDError) in
          try MergeProjections.merge(group, copy)
        }
      }
      _ = try copy.value(ValueID(id))
    }
    return try copy.finished()
  }

  /// Of every group one product and one sum with a bias remain.
  public func prediction(for graph: Graph) -> Work? {
    MergeProjections.groups(in: graph).values.map { group in
      Work(ops: (group.count - 1) * (group[0].bias == nil ? 1 : 2))
    }.total
  }

  private static func merge(_ group: [Layer], _ copy: GraphCopy) throws(SDError) {
    let weights = try copy.values(group.map(\.weight))
    let biases = try copy.values(group.compactMap(\.bias))
    let bias = try biases.isEmpty ? nil : copy.builder.concat(biases, axis: 0)
    let merged = try copy.value(group[0].x).linear(copy.builder.concat(weights, axis: 0), bias)
    var start = 0
    for (layer, weight) in zip(group, weights) {
      let end = start + weight.shape[0]
      copy.replace(layer.root, by: [try merged.sliced(start..<end)])
      start = end
    }
  }

  /// The groups of two layers or more, by their first product.
  private static func groups(in graph: Graph) -> [NodeID: [Layer]] {
    var groups: [Key: [Layer]] = [:]
    for layer in layers(in: graph) {
      let bias = layer.bias.map { graph.type(of: $0).dtype }
      let key = Key(x: layer.x, weight: graph.type(of: layer.weight).dtype, bias: bias)
      groups[key, default: []].append(layer)
    }
    let mergeable = groups.values.filter { $0.count > 1 }
    return Dictionary(uniqueKeysWithValues: mergeable.map { ($0[0].product, $0) })
  }

  /// All linear layers, with their biases where nothing else reads the product, in order of definition.
  private static func layers(in graph: Graph) -> [Layer] {
    let matcher = Matcher(graph)
    var layers: [NodeID: Layer] = [:]
    for pattern in [biased, linear] {
      for root in graph.ids {
        guard let found = matcher.matches(pattern, at: root).first?.values,
          let product = found["product"]?.node, let x = found["x"], let weight = found["w"],
          layers[product] == nil, graph.type(of: weight).rank == 2, graph[root].types == graph[product].types
        else { continue }
        if let bias = found["b"], graph.type(of: bias).shape != [graph.type(of: weight).shape[0]] { continue }
        layers[product] = Layer(product: product, root: root, x: x, weight: weight, bias: found["b"])
      }
    }
    return layers.values.sorted { $0.product < $1.product }
  }
}
