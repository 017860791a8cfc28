public import GraphIR
public import GraphPasses
public import GraphRuntime

/// Compiles a model into a plan file.
public struct PlanCompiler: Sendable {
  /// What to compile it for.
  public struct Options: Sendable {
    /// Picture sizes; empty takes the model's own.
    public var sizes: [PictureSize] = []
    /// Pictures that one pass of the U-Net draws.
    public var batch = 1
    /// Element type of products and activations; nil chooses by target and component (`PlanTarget.precision(for:)`).
    public var precision: Precision?
    /// What the weights are packed for, and which kernels are stored.
    public var target = PlanTarget.cpu
    /// Which components the plan holds.
    public var components = Component.allCases
    /// The processor whose weight layouts are stored when it is the target.
    public var cpu = CPU.best
    /// How the passes run.
    public var passes = PassOptions()
    /// Passes of a researcher's own, run on every graph behind the fusions and before precision is chosen.
    public var extraPasses: [any Pass] = []
    /// Whether convolutions are timed on this machine, and the fastest way to cut each is stored.
    public var tune = false
    /// The ops that a reader of plans knows anyway; the decompositions of others are stored in the plan.
    public var registry = OpRegistry.standard

    /// One picture at the model's size, everything compiled.
    public init() {}
  }

  /// The model.
  public let source: ModelSource
  /// What to compile it for.
  public let options: Options
  /// Told how much of the weights is written, from 0 to 1.
  public var progress: @Sendable (Double) -> Void = { _ in }
  /// Told how many of the graphs are tuned, from 0 to 1.
  public var tuningProgress: @Sendable (Double) -> Void = { _ in }

  /// Told how many of the kernels for GPUs are compiled, from 0 to 1.
  public var kernelProgress: @Sendable (Double) -> Void = { _ in }

  /// A compiler; nothing happens yet.
  public init(_ source: ModelSource, _ options: Options = Options()) {
    self.source = source
    self.options = options
  }

  /// Writes the plan; the file appears only when it is whole.
  ///
  /// - Returns: what the passes did and what the programs need.
  /// - Throws: `SDError` for a checkpoint that does not fit, a failing check, a full disk.
  @discardableResult
  public func compile(to path: String) throws(SDError) -> CompileReport {
    let sizes = try checkedSizes()
    guard (1...64).contains(options.batch) else {
      throw SDError(.usage, "the batch must be in 1 ... 64, it is \(options.batch)")
    }
    let device = CPUDevice(cpu: options.cpu)
    let tuner = options.tune ? try tuner(device) : nil
    let kernels = try storedKernels(threads: device.threads)
    var report = CompileReport()
    var info = self.info(sizes: sizes)
    var compiled: [CompiledComponent] = []
    for component in options.components {
      var part = CompiledComponent(component: component)
      for declared in try declare(component, sizes: sizes) {
        if let stop = Interruption.error { throw stop }
        try part.add(declared, precision: precision(component), options, device, &report)
        info.declaredFlops[declared.name] = declared.graph.flops
      }
      compiled.append(part)
    }
    info.passes = report.rewritesByPass
    let tuning = if let tuner { try tune(compiled, with: tuner, &report) } else { Tuning?.none }
    let texts = store(compiled, &info)
    let fallbacks = try fallbacks(compiled)
    // All files are opened, and their tensors compared, before the first byte is written.
    let evaluators = try compiled.map { (part) throws(SDError) in
      let parameters = try source.parameters(part.component, part.parameters)
      return WeightEvaluator(parameters, derived: part.derived, device: device)
    }

    var writer = try PlanWriter(path, sectionCount: 7 + (tuning == nil ? 0 : 1) + (kernels == nil ? 0 : 2))
    try writer.begin(.weights, flags: [.critical, .lazy])
    let table = try writeWeights(compiled, evaluators, to: &writer)
    try writer.add(.weightTable, Array(table.json.canonical.utf8))
    try writer.add(.meta, Array(info.json.canonical.utf8))
    try writer.add(.graphs, texts)
    try writer.add(.tokenizer, Array(source.tokenizer.json.canonical.utf8))
    try writer.add(.scheduler, Array(JSON.object(source.description.scheduler.members).canonical.utf8))
    try writer.add(.fallbacks, Array(fallbacks.canonical.utf8), flags: [])
    if let tuning { try writer.add(.tuning, Array(tuning.json.canonical.utf8), flags: []) }
    if let kernels {
      try writer.add(.kernelTable, Array(kernels.json.canonical.utf8), flags: [])
      try writer.add(.kernels, kernels.bytes, flags: [])
    }
    report.planID = try writer.commit().description
    return report
  }

  private func precision(_ component: Component) -> Precision {
    options.precision ?? options.target.precision(for: component)
  }

  /// The kernels of the target's families, nil for processors.
  private func storedKernels(threads: Int) throws(SDError) -> StoredKernels? {
    let families = options.target.architectures
    if families.isEmpty { return nil }
    kernelProgress(0)
    return try StoredKernels(for: families, threads: threads, progress: kernelProgress)
  }

  private func checkedSizes() throws(SDError) -> [PictureSize] {
    let own = source.description.sampleSize
    var sizes: [PictureSize] = []
    for size in options.sizes.isEmpty ? [PictureSize(height: own[0], width: own[1])] : options.sizes {
      try size.check(factor: source.description.vae.downsamplingFactor)
      if !sizes.contains(size) { sizes.append(size) }
    }
    return sizes
  }

  private func info(sizes: [PictureSize]) -> PlanInfo {
    let model = source.description
    return PlanInfo(
      producer: "sd-compile \(PlanInfo.version)", model: source.name, precision: precision(.unet),
      vaePrecision: precision(.vaeDecoder), target: options.target.name, level: options.cpu.level, batch: options.batch,
      sizes: sizes, components: options.components, vaeFactor: model.vae.downsamplingFactor,
      scalingFactor: model.vae.scalingFactor, latentChannels: model.vae.latentChannels,
      tokens: source.tokenizer.maxLength, vocabulary: model.textEncoder.vocabSize,
      contextWidth: model.unet.crossAttentionDim, scheduleRows: PlanCompiler.scheduleRows, passes: [:],
      declaredFlops: [:], graphs: [])
  }

  /// Timesteps that the U-Net prepares at a time.
  static let scheduleRows = 16

  /// The plain graphs of a component, one an entry and size.
  private func declare(_ component: Component, sizes: [PictureSize]) throws(SDError) -> [DeclaredGraph] {
    let model = source.description
    let factor = model.vae.downsamplingFactor
    var graphs: [DeclaredGraph] = []
    switch component {
    case .textEncoder:
      let graph = try declareTextEncoder(model.textEncoder, batch: 1, tokens: source.tokenizer.maxLength)
      graphs.append(DeclaredGraph(key: GraphKey(component: component, entry: "general"), graph: graph))
    case .unet:
      for size in sizes {
        for entry in UNetEntry.allCases {
          let graph = try declareUNet(
            model.unet, entry: entry, batch: entry == .general ? 2 * options.batch : options.batch,
            height: size.height / factor, width: size.width / factor, tokens: source.tokenizer.maxLength,
            scheduleRows: PlanCompiler.scheduleRows)
          let key = GraphKey(component: component, entry: entry.rawValue, size: size)
          graphs.append(DeclaredGraph(key: key, graph: graph))
        }
      }
    case .vaeDecoder:
      for size in sizes {
        let graph = try declareVAEDecoder(
          model.vae, batch: 1, height: size.height / factor, width: size.width / factor)
        graphs.append(DeclaredGraph(key: GraphKey(component: component, entry: "general", size: size), graph: graph))
      }
    case .vaeEncoder:
      for size in sizes {
        let graph = try declareVAEEncoder(model.vae, batch: 1, height: size.height, width: size.width)
        graphs.append(DeclaredGraph(key: GraphKey(component: component, entry: "general", size: size), graph: graph))
      }
    }
    return graphs
  }

  /// Times the convolutions of all graphs.
  private func tune(
    _ components: [CompiledComponent], with tuner: some Tuner, _ report: inout CompileReport
  ) throws(SDError) -> Tuning {
    tuningProgress(0)
    var tuner = tuner
    let graphs = components.flatMap(\.graphs)
    for (index, part) in graphs.enumerated() {
      try tuner.tune(part.graph)
      tuningProgress(Double(index + 1) / Double(graphs.count))
    }
    report.tuning = CompileReport.TuningSummary(tuner)
    return tuner.tuning
  }

  /// That of this machine's processor or, for plans for GPUs, of its first GPU.
  private func tuner(_ cpu: CPUDevice) throws(SDError) -> any Tuner {
    options.target == .cpu ? try CPUTuner(cpu) : try CUDATuner(tunedGPU())
  }

  /// This machine's first GPU, if the plan is for such.
  private func tunedGPU() throws(SDError) -> CUDADevice {
    let gpu = try CUDADevice(CUDAContext(ordinal: 0))
    guard options.target.architectures.contains(gpu.gpu.architecture) else {
      let families = options.target.architectures.map(\.name).joined(separator: ", ")
      throw SDError(
        .usage,
        "--tune times convolutions on \(gpu.name), whose family is \(gpu.gpu.architecture.name); the plan is for \(families)"
      )
    }
    return gpu
  }

  /// The text of all graphs, and their places in `info`.
  private func store(_ components: [CompiledComponent], _ info: inout PlanInfo) -> [UInt8] {
    var texts: [UInt8] = []
    for component in components {
      for part in component.graphs {
        let text = Array(GraphText.print(part.graph).utf8)
        info.graphs.append(
          PlanInfo.GraphEntry(key: part.key, rate: part.rate, offset: texts.count, length: text.count))
        texts += text
      }
    }
    return texts
  }

  /// The decompositions of all ops that readers may not know, by call.
  private func fallbacks(_ components: [CompiledComponent]) throws(SDError) -> JSON {
    var members = JSON.Object()
    for part in components.flatMap(\.graphs) {
      for fallback in try GraphText.fallbacks(for: part.graph, base: options.registry) {
        members[fallback.call] = .string(fallback.graph)
      }
    }
    return .object(members)
  }

  private func writeWeights(
    _ components: [CompiledComponent], _ evaluators: [WeightEvaluator], to writer: inout PlanWriter
  ) throws(SDError) -> WeightTable {
    let total = components.reduce(0) { $0 + $1.weightBytes }
    var table: [WeightTable.Entry] = []
    var places: [Digest: Int] = [:]
    var done = 0
    progress(0)
    for (component, evaluator) in zip(components, evaluators) {
      let weights = component.weights.sorted {
        ($0.name, $0.layout.rawValue, "\($0.type)") < ($1.name, $1.layout.rawValue, "\($1.type)")
      }
      for weight in weights {
        if let stop = Interruption.error { throw stop }
        let memory = try evaluator.bytes(of: weight)
        defer { extendLifetime(memory) }
        let bytes = UnsafeRawBufferPointer(memory.bytes)
        let digest = try Digest(of: bytes)
        let offset: Int
        if let known = places[digest] { offset = known } else { offset = try writer.append(bytes.bytes) }
        places[digest] = offset
        var stored = weight
        stored.name = "\(component.component.rawValue)/\(weight.name)"
        table.append(WeightTable.Entry(weight: stored, offset: offset, digest: digest))
        done += bytes.count
        progress(Double(done) / Double(max(1, total)))
      }
    }
    return WeightTable(table)
  }
}

/// A graph as a model declares it.
struct DeclaredGraph {
  let key: GraphKey
  let graph: Graph

  /// `unet.guided@512x512`.
  var name: String { "\(key.component.rawValue).\(key.entry)" + (key.size.map { "@\($0)" } ?? "") }
}

/// What the passes made of a component's graphs, and the weights that their programs want.
struct CompiledComponent {
  let component: Component
  var graphs: [(key: GraphKey, rate: Rate, graph: Graph)] = []
  var derived: [DerivedWeight] = []
  var weights: Set<Program.Weight> = []
  /// The tensors of the checkpoint that the declared graphs read.
  var parameters: [Parameter] = []

  init(component: Component) { self.component = component }

  var weightBytes: Int { weights.reduce(0) { $0 + $1.layout.byteCount($1.type) } }

  mutating func add(
    _ declared: DeclaredGraph, precision: Precision, _ options: PlanCompiler.Options, _ device: CPUDevice,
    _ report: inout CompileReport
  ) throws(SDError) {
    var passes = options.passes
    if let dump = passes.dump {
      passes.dump = { (file, text) throws(SDError) in try dump("\(declared.name).\(file)", text) }
    }
    var pipeline = Pipeline(precision: precision, options: passes)
    pipeline.insert(options.extraPasses)
    let optimized = try pipeline.run(declared.graph)
    var parts: [CompileReport.Part] = []
    let library = options.target.library(device)
    for (rate, graph) in optimized.graphs.all {
      let program = try lower(graph, with: library)
      weights.formUnion(program.weights)
      graphs.append((declared.key, rate, graph))
      parts.append(CompileReport.Part(rate: rate, program))
    }
    for weight in optimized.weights where !derived.contains(where: { $0.name == weight.name }) {
      derived.append(weight)
    }
    for (_, parameter) in declared.graph.parameters where !parameters.contains(parameter) {
      parameters.append(parameter)
    }
    report.graphs.append(
      CompileReport.Entry(
        name: declared.name, declaredOps: declared.graph.opCounts(), declaredFlops: declared.graph.flops,
        passes: optimized.report, parts: parts))
  }
}
