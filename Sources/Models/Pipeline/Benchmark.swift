public import GraphIR
import GraphRuntime

/// Times the components of a plan: one run is what the pipeline does once (a prompt, a step, a picture).
public struct Benchmark {
  /// How long the runs of a component took.
  public struct Timing: Sendable {
    /// The component.
    public var component: Component
    /// Seconds of every run, in order.
    public var seconds: [Double]
    /// Floating-point operations of the declared graph, before any rewrite.
    public var flops: Int

    /// The middle of the runs, in seconds.
    public var median: Double {
      let sorted = seconds.sorted()
      let middle = sorted.count / 2
      return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
  }

  private let model: CompiledModel

  /// Times components of a plan at its first picture size.
  public init(_ model: CompiledModel) { self.model = model }

  /// Runs a component once to warm up and then `runs` times.
  ///
  /// - Throws: `SDError` (incompatible) when the plan does not have it.
  public func time(_ component: Component, runs: Int) throws(SDError) -> Timing {
    let size = component == .textEncoder ? nil : try model.chosen(nil)
    let key = GraphKey(component: component, entry: component == .unet ? "guided" : "general", size: size)
    let session = try GraphSession(model, key)
    for (name, type) in session.inputs { session.write(name, Benchmark.values(type)) }
    // What the prompt and the schedule need is done once; a step is what repeats.
    try session.run(.prompt)
    try session.run(.schedule)
    try session.run(.step)
    var seconds: [Double] = []
    for _ in 0..<runs {
      let start = Profile.now()
      try session.run(.step)
      seconds.append(Profile.now() - start)
    }
    let name = "\(component.rawValue).\(key.entry)" + (size.map { "@\($0)" } ?? "")
    return Timing(component: component, seconds: seconds, flops: model.info.declaredFlops[name] ?? 0)
  }

  /// Numbers of unit scale, so that no run meets denormals; zeros for ids and indices.
  private static func values(_ type: TensorType) -> [Float] {
    guard type.dtype.isFloat else { return [Float](repeating: 0, count: type.count) }
    var generator = TorchGenerator(seed: 0)
    return generator.randn(type.count)
  }
}
