public import GraphIR
import GraphRuntime

/// Times the components of a plan: one run is what the pipeline does once (a prompt, a step, a picture).
public struct Benchmark {
  /// A component that is ready and warm: every run from now on costs the same.
  public final class Subject {
    /// Floating-point operations of a run: those of the declared graph, before any rewrite.
    public let flops: Int
    private let session: GraphSession

    fileprivate init(_ session: GraphSession, flops: Int) { (self.session, self.flops) = (session, flops) }

    /// Bytes of weights and activations that the kernels of a run must read and write.
    public var bytes: Int { session.bytes(.step) }

    /// Runs once; returns the seconds that it took.
    ///
    /// - Throws: `SDError` from a kernel, or when it is stopped.
    public func run() throws(SDError) -> Double {
      let start = Profile.now()
      try session.run(.step)
      try session.finish()
      return Profile.now() - start
    }
  }

  private let model: CompiledModel

  /// Times components of a plan at its first picture size.
  public init(_ model: CompiledModel) { self.model = model }

  /// Makes a component ready and runs it once, so that its memory is touched and its caches are filled.
  ///
  /// - Throws: `SDError` (incompatible) when the plan does not have it.
  public func prepare(_ component: Component) throws(SDError) -> Subject {
    let size = component == .textEncoder ? nil : try model.chosen(nil)
    let entry = component == .unet ? UNetEntry.guided.rawValue : "general"
    let key = GraphKey(component: component, entry: entry, size: size)
    let session = try GraphSession(model, key)
    for (name, type) in session.inputs { try session.write(name, Benchmark.values(type)) }
    // What the prompt and the schedule need is done once; a step is what repeats.
    try session.run(.prompt)
    try session.run(.schedule)
    try session.run(.step)
    try session.finish()
    let name = "\(component.rawValue).\(key.entry)" + (size.map { "@\($0)" } ?? "")
    return Subject(session, flops: model.info.declaredFlops[name] ?? 0)
  }

  /// Numbers of unit scale, so that no run meets denormals; zeros for ids and indices.
  private static func values(_ type: TensorType) -> [Float] {
    guard type.dtype.isFloat else { return [Float](repeating: 0, count: type.count) }
    var generator = TorchGenerator(seed: 0)
    return generator.randn(type.count)
  }
}

/// How long the runs of something took.
public struct Timings: Sendable {
  /// Seconds of every run, in order.
  public var seconds: [Double]

  /// The timings of runs; without any, every figure is 0.
  public init(_ seconds: [Double] = []) { self.seconds = seconds }

  /// The middle of the runs, in seconds.
  public var median: Double {
    let sorted = seconds.sorted()
    let middle = sorted.count / 2
    guard !sorted.isEmpty else { return 0 }
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }

  /// The shortest run, in seconds.
  public var min: Double { seconds.min() ?? 0 }

  /// The longest run, in seconds.
  public var max: Double { seconds.max() ?? 0 }
}
