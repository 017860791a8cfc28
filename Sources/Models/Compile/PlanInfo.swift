package import GraphIR
public import GraphPasses
public import GraphRuntime

/// What a plan says about itself: its META section.
public struct PlanInfo: Sendable {
  /// The version of this library, and so of the compiler that it contains.
  public static let version = "0.1.0"

  /// One graph's place in the section of graphs.
  package struct GraphEntry: Hashable, Sendable {
    /// Which graph.
    package var key: GraphKey
    /// How often it runs.
    package var rate: Rate
    /// First byte of its text.
    package var offset: Int
    /// Bytes of its text.
    package var length: Int
  }

  /// Who wrote the plan.
  public var producer: String
  /// The model's name.
  public var model: String
  /// Element type of products and activations.
  public var precision: Precision
  /// Element type of the autoencoder's products and activations.
  public var vaePrecision: Precision
  /// What the weights are packed for: `cpu` or `cuda`.
  public var target: String
  /// Instruction set whose weight layouts are stored in a plan for processors.
  public var level: CPU.Level
  /// Pictures that one pass of the U-Net draws.
  public var batch: Int
  /// Picture sizes.
  public var sizes: [PictureSize]
  /// Components.
  public var components: [Component]
  /// Pixels of a picture along one side of a latent pixel.
  public var vaeFactor: Int
  /// Latents are the autoencoder's, times this.
  public var scalingFactor: Double
  /// Channels of the latents.
  public var latentChannels: Int
  /// Tokens of a prompt.
  public var tokens: Int
  /// Rows of the token embedding: ids are below.
  public var vocabulary: Int
  /// Columns of the prompt's hidden states.
  public var contextWidth: Int
  /// Rows of the table of timesteps that the U-Net computes at a time.
  public var scheduleRows: Int
  /// Passes that ran, with the number of rewrites of each.
  public var passes: [String: Int]
  /// For every declared graph, `unet.guided@512x512`, the floating-point operations before any rewrite.
  public var declaredFlops: [String: Int]
  package var graphs: [GraphEntry]
}

extension PlanInfo {
  /// Element type of a component's products and activations.
  public func precision(of component: Component) -> Precision {
    component == .vaeDecoder || component == .vaeEncoder ? vaePrecision : precision
  }

  /// `fp16`, or `fp16, autoencoder bf16`.
  public var precisions: String {
    precision.rawValue + (vaePrecision == precision ? "" : ", autoencoder \(vaePrecision.rawValue)")
  }

  /// The U-Net that the pipeline drives. Plans of earlier versions have the guided one only.
  package func denoisingKey(_ size: PictureSize, isGuided: Bool) -> GraphKey {
    let unguided = GraphKey(component: .unet, entry: UNetEntry.unguided.rawValue, size: size)
    if !isGuided, graphs.contains(where: { $0.key == unguided }) { return unguided }
    return GraphKey(component: .unet, entry: UNetEntry.guided.rawValue, size: size)
  }

  /// `cpu avx512` or `cuda`.
  package var packing: String { target == "cpu" ? "cpu \(level.rawValue)" : target }

  /// As it is stored: canonical JSON.
  package var json: JSON {
    func map(_ values: [String: Int]) -> JSON {
      var object = JSON.Object()
      for (name, value) in values { object[name] = JSON(value) }
      return .object(object)
    }
    return [
      "producer": .string(producer), "model": .string(model), "precision": .string(precision.rawValue),
      "vae_precision": .string(vaePrecision.rawValue), "target": .string(target), "cpu": .string(level.rawValue),
      "batch": JSON(batch),
      "sizes": .array(sizes.map { .string("\($0)") }), "components": .array(components.map { .string($0.rawValue) }),
      "vae_factor": JSON(vaeFactor), "scaling_factor": JSON(scalingFactor), "latent_channels": JSON(latentChannels),
      "tokens": JSON(tokens), "vocabulary": JSON(vocabulary), "context_width": JSON(contextWidth),
      "schedule_rows": JSON(scheduleRows), "passes": map(passes), "declared_flops": map(declaredFlops),
      "graphs": .array(
        graphs.map { entry in
          [
            "component": .string(entry.key.component.rawValue), "entry": .string(entry.key.entry),
            "size": entry.key.size.map { .string("\($0)") } ?? .null, "rate": .string(entry.rate.rawValue),
            "offset": JSON(entry.offset), "length": JSON(entry.length),
          ]
        }),
    ]
  }

  /// Reads what `json` stored; the graphs must lie in a section of `limit` bytes.
  ///
  /// - Throws: `SDError` (invalid) that names the member.
  package init(_ config: JSON.Config, limit: Int) throws(SDError) {
    producer = try config.string("producer")
    model = try config.string("model")
    precision = try config.named("precision")
    vaePrecision = try config.has("vae_precision") ? config.named("vae_precision") : precision
    target = try config.has("target") ? config.string("target") : "cpu"
    level = try config.named("cpu")
    batch = try config.natural("batch", upTo: 1024)
    sizes = []
    for text in try config.strings("sizes") { sizes.append(try PictureSize(text)) }
    components = []
    for name in try config.strings("components") { components.append(try Component(name: name)) }
    vaeFactor = try config.natural("vae_factor", upTo: 1024)
    scalingFactor = try config.double("scaling_factor")
    latentChannels = try config.natural("latent_channels", upTo: 1 << 16)
    tokens = try config.natural("tokens", upTo: 1 << 16)
    vocabulary = try config.natural("vocabulary", upTo: 1 << 31)
    contextWidth = try config.natural("context_width", upTo: 1 << 20)
    scheduleRows = try config.natural("schedule_rows", upTo: 1 << 16)
    passes = try config.counts("passes")
    declaredFlops = try config.counts("declared_flops")
    graphs = []
    for item in config.members["graphs"]?.array ?? [] {
      let entry = try JSON.Config(item, file: config.file)
      let size = entry.has("size") ? try PictureSize(entry.string("size")) : nil
      let key = GraphKey(component: try entry.named("component"), entry: try entry.string("entry"), size: size)
      let offset = try entry.natural("offset", from: 0, upTo: limit)
      let length = try entry.natural("length", from: 0, upTo: limit - offset)
      graphs.append(GraphEntry(key: key, rate: try entry.named("rate"), offset: offset, length: length))
    }
  }
}

extension JSON.Config {
  /// A member whose text is one of an enumeration's names.
  fileprivate func named<Name: RawRepresentable<String>>(_ key: String) throws(SDError) -> Name {
    let text = try string(key)
    guard let value = Name(rawValue: text) else {
      throw SDError(.invalid, "\(file): \"\(key)\" is \(JSON.quoted(text)), which this version does not know")
    }
    return value
  }

  fileprivate func natural(_ key: String, from low: Int = 1, upTo high: Int) throws(SDError) -> Int {
    let value = try int(key)
    guard low <= value, value <= high else {
      throw SDError(.invalid, "\(file): \"\(key)\" must be in \(low) ... \(high), it is \(value)")
    }
    return value
  }

  fileprivate func counts(_ key: String) throws(SDError) -> [String: Int] {
    var counts: [String: Int] = [:]
    for (name, value) in members[key]?.object?.members ?? [] { counts[name] = value.int }
    return counts
  }
}
