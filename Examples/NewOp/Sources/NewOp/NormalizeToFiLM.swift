import GraphIR
import GraphPasses

/// Takes scale and shift out of the U-Net's group normalizations, into a FiLM behind each.
///
/// It changes no number, which is what the example checks. From here a FiLM's scale and shift could come from
/// another network: conditional normalization.
struct NormalizeToFiLM: Pass {
  let name = "normalize-to-film"

  private let rule = Rewrite(
    "act(normalize(x, s, γ, β)) → act(film(normalize(x, s), γ − 1, β))",
    .op(Normalize.self, ["x", "s", "gamma", "beta"], as: "norm")
  ) { m in
    var norm = try m.op("norm", as: Normalize.self)
    let (activation, one) = (norm.activation, try m.builder.constant([], [1]))
    norm.activation = nil
    let normal = try m.replacing("norm", by: norm, [m["x"], m["s"]])
    // γ − 1 depends on weights alone: it is computed when the plan is made.
    return try normal.applying(FiLM(), m["gamma"].subtracting(one), m["beta"]).activated(activation)
  }

  func run(_ graph: Graph, _ context: inout PassContext) throws(SDError) -> Graph {
    graph.name == "unet" ? try Rewriter([rule]).run(graph, &context) : graph
  }
}
