public import GraphIR

/// The passes that every graph goes through, in order.
///
/// - Parameter precision: the element type of stored activations and products.
public func standardPasses(precision: Precision) -> [any Pass] {
  [
    // Clean first, so that patterns meet one form of everything.
    Simplify(),
    FoldConstants(),
    // Patterns of plain ops, before `FuseConv` hides matrix products in fused ops.
    FuseAttention(),
    MergeProjections(),
    // Behind the merge: the projections of a row are then one product with one row of results.
    SinkRow(),
    FuseGroupNormSiLU(),
    FuseConv(),
    // The gate is an epilogue of the product that `FuseConv` has made.
    FuseGEGLU(),
    // Sources and weights of products that are known by now.
    SplitConcat(),
    PhaseConv(),
    // Behind the merge and the split: each product and each of its sources takes in what it reads, once.
    FoldNormAffine(),
    // The fusions leave reshapes of reshapes and slices of slices.
    Simplify(),
    // Among fused ops there is less to follow.
    SharePrefix(),
    // Late, so that passes from outside find normalizations by themselves.
    FuseNormalize(),
    // Types before the cut, so that what is hoisted is stored in the type in which the step reads it.
    ChoosePrecision(precision),
    // Last, since nothing looks into the pairs.
    FuseFeedForward(),
    FuseStatistics(),
  ]
}

/// A graph compiled as far as it does not depend on a device.
public struct OptimizedGraphs: Sendable {
  /// The graphs over derived weights, cut by rate.
  public var graphs: HoistedGraphs
  /// The weights that are not checkpoint tensors themselves, sorted by name, each once.
  public var weights: [DerivedWeight]
  /// What the passes did.
  public var report: PassReport
}

/// The whole way: passes, the cut by rate, derived weights.
public struct Pipeline: Sendable {
  /// The passes before the cut; others can be inserted.
  public var passes: [any Pass]
  /// How they are run.
  public var options: PassOptions

  /// The standard passes for a precision.
  public init(precision: Precision, options: PassOptions = PassOptions()) {
    passes = standardPasses(precision: precision)
    self.options = options
  }

  /// Adds passes behind the fusions, before convolutions take normalizations in and precision is chosen.
  public mutating func insert(_ more: [any Pass]) {
    passes.insert(contentsOf: more, at: passes.firstIndex { $0 is FuseNormalize } ?? passes.count)
  }

  /// The names that `PassOptions.disabled` accepts, in order.
  public var names: [String] { passes.map(\.name) + [Hoist.name, DeriveWeights.name] }

  /// Compiles a graph.
  ///
  /// - Throws: `SDError` from a pass, the verifier or a check, and for unknown names in `options.disabled`.
  public func run(_ graph: Graph) throws(SDError) -> OptimizedGraphs {
    var manager = try PassManager(options, passes: names)
    let whole = try manager.run(passes, on: graph)
    var hoisted = try manager.transform(
      whole, Hoist.name, prediction: Hoist().prediction, disabled: HoistedGraphs(step: whole)
    ) { (graph, _) throws(SDError) in try Hoist().run(graph)
    }
    manager.note(HoistStatistics(hoisted))
    var weights: [String: DerivedWeight] = [:]
    for (rate, graph) in hoisted.all {
      let derived = try manager.transform(graph, DeriveWeights.name, disabled: DerivedGraph(graph: graph)) {
        (graph, _) throws(SDError) in try DeriveWeights().run(graph)
      }
      hoisted[rate] = derived.graph
      for weight in derived.weights { weights[weight.name] = weight }
    }
    return OptimizedGraphs(
      graphs: hoisted, weights: weights.values.sorted { $0.name < $1.name }, report: manager.report)
  }
}
