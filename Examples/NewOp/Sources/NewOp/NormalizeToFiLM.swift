import GraphIR
import GraphPasses

/// Takes scale and shift out of the U-Net's group normalizations, into a FiLM behind each.
///
/// It changes no number, which is what the example checks. From here a FiLM's scale and shift could come from
/// another network: conditional normalization.
struct NormalizeToFiLM: Pass {
  let name = "normalize-to-film"

  private let rule = Rewrite(
    "act(normalize(x, s, γ, β)) → act(film(normalize(x, s, 1, 0), γ − 1, β))",
    // γ must be a tensor of the checkpoint; behind the rewrite it is a constant, so the rule matches once.
    .op(Normalize.self, ["x", "s", .op(Parameter.self, as: "gamma", shared: true), "beta"], as: "norm")
  ) { m in
    let norm = try m.op("norm", as: Normalize.self)
    let (gamma, one) = (try m["gamma"], try m.builder.constant([], [1]))
    let ones = try m.builder.constant(gamma.shape, Array(repeating: 1, count: gamma.type.count))
    let zeros = try m.builder.constant(gamma.shape, Array(repeating: 0, count: gamma.type.count))
    let normal = try m["x"].normalize(m["s"], ones, zeros, groups: norm.groups, eps: norm.eps, activation: nil)
    // γ − 1 depends on weights alone: it is computed when the plan is made.
    return try normal.applying(FiLM(), gamma.subtracting(one), m["beta"]).activated(norm.activation)
  }

  func run(_ graph: Graph, _ context: inout PassContext) throws(SDError) -> Graph {
    graph.name == "unet" ? try Rewriter([rule]).run(graph, &context) : graph
  }
}
