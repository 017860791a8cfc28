public import GraphIR
import GraphRuntime

/// A component ready to be timed: one run is what the pipeline does once (a prompt, a step, a picture).
public struct Benchmark {
  /// The component.
  public let component: Component
  /// Floating-point operations of the declared graph, before any rewrite.
  public let flops: Int
  /// Bytes of weights and activations that the kernels of one run read and write.
  public let bytes: Int
  private let session: GraphSession

  /// Prepares a component of a plan at the plan's first picture size, and runs it once to warm up.
  ///
  /// - Throws: `SDError` (incompatible) when the plan does not have it.
  public init(_ model: CompiledModel, _ component: Component) throws(SDError) {
    let size = component == .textEncoder ? nil : try model.chosen(nil)
    let key = GraphKey(component: component, entry: component == .unet ? "guided" : "general", size: size)
    session = try GraphSession(model, key)
    for (name, type) in session.inputs { session.write(name, Benchmark.values(type)) }
    let name = "\(component.rawValue).\(key.entry)" + (size.map { "@\($0)" } ?? "")
    (self.component, flops, bytes) = (component, model.info.declaredFlops[name] ?? 0, session.bytes(.step))
    // What the prompt and the schedule need is done once; a step is what repeats.
    try session.run(.prompt)
    try session.run(.schedule)
    try session.run(.step)
  }

  /// Seconds of one run.
  ///
  /// - Throws: `SDError` from a kernel, or when it is stopped.
  public func run() throws(SDError) -> Double {
    let start = Profile.now()
    try session.run(.step)
    return Profile.now() - start
  }

  /// Numbers of unit scale, so that no run meets denormals; zeros for ids and indices.
  private static func values(_ type: TensorType) -> [Float] {
    guard type.dtype.isFloat else { return [Float](repeating: 0, count: type.count) }
    var generator = TorchGenerator(seed: 0)
    return generator.randn(type.count)
  }
}
