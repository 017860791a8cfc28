public import GraphIR
import GraphPasses
public import GraphRuntime

/// A plan that was opened: its tokenizer, its scheduler's configuration, and its components, ready to be run.
///
///     let model = try CompiledModel(plan: "sd15.sdplan")
///     let states = try model.textEncoder()(model.tokenizer.encode("a red circle").ids)
public final class CompiledModel {
  /// How a plan is opened and run.
  public struct Options: Sendable {
    /// Threads; nil takes one for every processor.
    public var threads: Int?
    /// Where it runs.
    public var device = DeviceName.cpu
    /// The processor level that kernels are chosen for; nil takes `SD_CPU`, or the best there is.
    public var cpu: CPU?
    /// Whether the file is mapped; otherwise it is read into memory.
    public var mapped = true
    /// The ops that may occur; add those from outside.
    public var registry = OpRegistry.standard
    /// Whether an op that is not in `registry` may run through the decomposition that the plan stores.
    public var allowFallback = false
    /// Whether every kernel call is timed, for `trace`.
    package var profiled = false

    /// The processor, with all its threads and its best kernels.
    public init() {}
  }

  /// What the plan says about itself.
  public let info: PlanInfo
  /// From prompts to token ids.
  public let tokenizer: CLIPTokenizer
  /// What the checkpoint says about its sampler.
  public let schedulerConfiguration: SchedulerConfiguration
  /// The first ten digits of the plan's id.
  public var shortID: String { String(file.id.description.prefix(10)) }
  package let file: PlanFile
  package let table: WeightTable
  /// What was measured where the plan was made, if anything; used where there are the same kernels and no more threads.
  package let tuning: Tuning?
  package let device: any Device
  /// `cpu`, `cuda:0` or `reference`.
  public var deviceName: String { device.name }
  /// Whether the processor's kernels run.
  public var isOnCPU: Bool { device is CPUDevice }
  package let profile: Profile?
  /// How many threads run a kernel.
  package var threads: Int { device.threads }
  private let options: Options
  private var lowered: [GraphKey: [Rate: Program]] = [:]

  /// Opens a plan; graphs and weights are read when a component is first used.
  ///
  /// - Throws: `SDError` for a damaged, foreign or newer file and for options that this machine cannot meet.
  public init(plan path: String, _ options: Options = Options()) throws(SDError) {
    self.options = options
    if let threads = options.threads, !(1...4096).contains(threads) {
      throw SDError(.usage, "threads must be in 1 ... 4096, they are \(threads)")
    }
    file = try PlanFile(path, mapped: options.mapped)
    let graphs = try file.section(.graphs)
    info = try PlanInfo(JSON.Config(CompiledModel.json(file, .meta), file: path), limit: graphs.count)
    table = try WeightTable(
      CompiledModel.json(file, .weightTable), limit: file.section(.weights).count, path: path)
    tokenizer = try CLIPTokenizer(CompiledModel.json(file, .tokenizer), file: path)
    try tokenizer.validate(embeddingRows: info.vocabulary)
    schedulerConfiguration = try SchedulerConfiguration(
      JSON.Config(CompiledModel.json(file, .scheduler), file: path))
    let processor = if let cpu = options.cpu { cpu } else { try Debug.cpu() }
    tuning = try CompiledModel.tuning(file)
    let measured: CPUTuning? = if case .cpu(let tuning) = tuning { tuning } else { nil }
    let cpu = CPUDevice(threads: options.threads, cpu: processor, tuning: measured)
    let kernels = try CompiledModel.kernels(file)
    device = try options.device.open(info, cpu, kernels, tuning)
    profile = options.profiled ? Profile() : nil
    let place = "\(device.name), \(processor.level.rawValue), \(device.threads) threads"
    Debug.log(1, "\(path): \(info.model), \(info.precisions); \(place)")
    if Debug.verifiesWeights { try table.verify(file) }
  }

  private static func json(_ file: PlanFile, _ kind: PlanSection.Kind) throws(SDError) -> JSON {
    try JSON(parsing: file.section(kind), name: "\(file.path): section \(kind.rawValue)")
  }

  private static func tuning(_ file: PlanFile) throws(SDError) -> Tuning? {
    guard file[.tuning] != nil else { return nil }
    return try Tuning(JSON.Config(json(file, .tuning), file: "\(file.path): section TUNE"))
  }

  /// The kernels for GPUs that it brings, if it was made for such.
  static func kernels(_ file: PlanFile) throws(SDError) -> StoredKernels? {
    guard file[.kernelTable] != nil else { return nil }
    return try StoredKernels(json(file, .kernelTable), file.section(.kernels), path: file.path)
  }

  /// The text encoder: ids `[B][tokens]` to hidden states.
  ///
  /// - Throws: `SDError` (incompatible) when the plan does not have it.
  public func textEncoder() throws(SDError) -> TextEncoder { try TextEncoder(self) }

  /// The U-Net of a picture size, for any rows.
  ///
  /// - Throws: `SDError`: incompatible when the plan does not have it, usage for a size that it was not compiled for.
  public func unet(_ size: PictureSize? = nil) throws(SDError) -> UNetModel {
    try UNetModel(self, chosen(size, for: .unet))
  }

  /// The decoder of a picture size.
  ///
  /// - Throws: `SDError`: incompatible when the plan does not have it, usage for a size that it was not compiled for.
  public func vaeDecoder(_ size: PictureSize? = nil) throws(SDError) -> VAEDecoderModel {
    try VAEDecoderModel(self, chosen(size, for: .vaeDecoder))
  }

  /// The encoder of a picture size.
  ///
  /// - Throws: `SDError`: incompatible when the plan does not have it, usage for a size that it was not compiled for.
  public func vaeEncoder(_ size: PictureSize? = nil) throws(SDError) -> VAEEncoderModel {
    try VAEEncoderModel(self, chosen(size, for: .vaeEncoder))
  }

  /// A size of the plan; the first one unless told otherwise.
  ///
  /// - Throws: `SDError` (usage) for a size that it was not compiled for.
  public func chosen(_ size: PictureSize?) throws(SDError) -> PictureSize {
    guard let size else {
      guard let first = info.sizes.first else { throw SDError(.invalid, "'\(file.path)' has no picture size") }
      return first
    }
    guard info.sizes.contains(size) else {
      let known = info.sizes.map(\.description).joined(separator: ", ")
      throw SDError(
        .usage, "'\(file.path)' was not compiled for \(size); it has \(known)",
        hint: "Compile it with --size \(size) as well; sizes share their weights.")
    }
    return size
  }

  /// The size to run a component at; the component is looked for first.
  private func chosen(_ size: PictureSize?, for component: Component) throws(SDError) -> PictureSize {
    guard info.components.contains(component) else { throw lacks(component) }
    return try chosen(size)
  }

  private func lacks(_ component: Component) -> SDError {
    SDError(
      .incompatible, "'\(file.path)' does not have the component '\(component.rawValue)'",
      hint: "Compile it with --components all.")
  }

  /// The graphs of a component, parsed, verified and lowered.
  ///
  /// - Throws: `SDError` (incompatible) when the plan does not have the component or needs unknown ops.
  package func programs(_ key: GraphKey) throws(SDError) -> [Rate: Program] {
    if let known = lowered[key] { return known }
    let entries = info.graphs.filter { $0.key == key }
    guard !entries.isEmpty else { throw lacks(key.component) }
    let fallbacks = options.allowFallback ? try storedFallbacks() : [:]
    var programs: [Rate: Program] = [:]
    for entry in entries {
      let bytes = UnsafeRawBufferPointer(
        rebasing: try file.section(.graphs)[entry.offset..<entry.offset + entry.length])
      guard let text = String(validating: bytes, as: UTF8.self) else {
        throw SDError(.invalid, "cannot load '\(file.path)': a graph is not valid UTF-8. Recompile it.")
      }
      do throws(SDError) {
        let graph = try GraphText.parse(text, registry: options.registry, fallbacks: fallbacks)
        try Verifier().verify(graph)
        guard programs[entry.rate] == nil else { throw SDError(.invalid, "it has a graph twice") }
        // Steps that are timed may be run several times.
        programs[entry.rate] = try lower(graph, with: device.library, inPlace: !options.profiled)
      } catch {
        throw SDError(error.code, "cannot load '\(file.path)': \(error.message)", hint: error.hint)
      }
    }
    do throws(SDError) {
      try PlanInterface.check(programs, key, info)
    } catch {
      throw SDError(error.code, "cannot load '\(file.path)': \(error.message). Recompile it.")
    }
    lowered[key] = programs
    return programs
  }

  private func storedFallbacks() throws(SDError) -> [String: String] {
    guard file[.fallbacks] != nil, let members = try CompiledModel.json(file, .fallbacks).object else { return [:] }
    var texts: [String: String] = [:]
    for (key, value) in members.members { texts[key] = value.string }
    return texts
  }

  /// FLOP/s that a perfect kernel reaches. On a processor they are measured now, in loops of independent multiply-adds
  /// on all threads; in a plan of bf16 these multiply bfloat16, where the processor can. On a GPU they are its data
  /// sheet's.
  ///
  /// - Throws: `SDError` (device) when a GPU cannot say.
  public func peakFLOPS() throws(SDError) -> Double { try device.peakFLOPS(info.precision.dtype) }

  /// Refuses to start what would not fit into memory: components that are to be ready at the same time.
  ///
  /// - Throws: `SDError` (resources) with the numbers.
  func checkMemory(_ keys: [GraphKey]) throws(SDError) {
    var (weights, arena, rest) = (0, 0, 0)
    for key in keys {
      let programs = Array(try programs(key).values)
      weights += programs.reduce(0) { $0 + $1.weightBytes }
      arena += programs.map(\.arenaBytes).max() ?? 0
      rest += threads * programs.reduce(0) { $0 + $1.scratchBytes }
      rest += programs.flatMap { $0.inputs + $0.outputs }.reduce(0) { $0 + $1.type.byteCount }
    }
    try device.checkMemory([("weights", weights), ("arena", arena), ("scratch", rest)])
  }
}
