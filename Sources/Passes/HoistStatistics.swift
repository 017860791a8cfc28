import GraphIR

/// How much work runs at each rate.
public struct HoistStatistics: Hashable, Sendable, Codable, CustomStringConvertible {
  /// The work of one graph.
  public struct Work: Hashable, Sendable, Codable {
    /// `prompt`, `schedule` or `step`.
    public var rate: String
    /// Ops that compute something.
    public var nodes: Int
    /// Matrix products and convolutions among them.
    public var products: Int
    /// Floating-point operations of one run.
    public var flops: Int
  }

  /// The work of each graph, in the order in which they run.
  public var work: [Work] = []

  /// `prompt: 3 ops, 1 product, 5.9 GFLOP; step: …`.
  public var description: String {
    work.map { work in
      let gigaflops = (Double(work.flops) / 1e7).rounded() / 100
      let counts = "\(count(work.nodes, "op")), \(count(work.products, "product"))"
      return "\(work.rate): \(counts), \(gigaflops) GFLOP"
    }
    .joined(separator: "; ")
  }

  private static func products(_ op: any Op) -> Int {
    (op as? any FusedOp)?.products ?? (op is MatMul || op is Conv2D ? 1 : 0)
  }

  private func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }

  /// Nothing is known.
  public init() {}

  /// Counts the work of every graph.
  package init(_ graphs: HoistedGraphs) {
    work = graphs.all.map { rate, graph in
      // What makes weights of weights runs when the plan is made.
      let own = zip(graph.nodes, graph.rates()).filter { $1 > .constant && !$0.operands.isEmpty }.map(\.0)
      return Work(
        rate: rate.rawValue, nodes: own.count,
        products: own.reduce(0) { $0 + HoistStatistics.products($1.op) },
        flops: own.reduce(0) { saturatingSum($0, graph.flops(of: $1)) })
    }
  }
}
