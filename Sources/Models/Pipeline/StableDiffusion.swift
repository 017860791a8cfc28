public import GraphIR
import GraphPasses
import GraphRuntime

/// Draws pictures from prompts: text encoder, guided U-Net under a scheduler, decoder.
///
///     let model = try CompiledModel(plan: "sd15.sdplan")
///     let pictures = try StableDiffusion(model).generate(StableDiffusion.Request(prompt: "a red circle"))
///
/// - Reference: Rombach et al. 2021, arXiv:2112.10752; Ho & Salimans 2022, arXiv:2207.12598 (guidance);
///   diffusers' `StableDiffusionPipeline`, whose pictures these are.
public final class StableDiffusion {
  /// What to draw.
  public struct Request: Sendable {
    /// What the picture shows.
    public var prompt: String
    /// What it does not show.
    public var negativePrompt = ""
    /// Picture i of several is drawn with seed + i, exactly as if alone.
    public var seed: UInt64 = 0
    /// Denoising steps.
    public var steps = 50
    /// How far the prompt's prediction is followed beyond the empty one's; 1 follows the prompt's alone.
    public var guidanceScale: Float = 7.5
    /// The sampler; nil takes the checkpoint's.
    public var scheduler: SchedulerName?
    /// How many pictures.
    public var count = 1
    /// Unit noise `[count, C, h, w]` to start from, instead of the seed's.
    public var latents: Tensor?
    /// Decode a preview every so many steps; nil never does.
    public var previewEvery: Int?

    /// One picture, with the defaults of the textbook.
    public init(prompt: String) { self.prompt = prompt }
  }

  /// A picture and where it came from.
  public struct Picture: Sendable {
    /// The seed it was drawn with.
    public var seed: UInt64
    /// The pixels.
    public var image: Image
    /// The final latents `[1, C, h, w]`, before division by the scaling factor.
    public var latents: Tensor
  }

  /// What happens while pictures are drawn.
  public enum Event {
    /// A part of the prompt did not fit and was ignored.
    case truncated(prompt: String, ignored: String)
    /// A step is done: number, of how many, for which pictures.
    case step(Int, of: Int, pictures: Range<Int>)
    /// A picture as it looks after a step.
    case preview(picture: Int, step: Int, Image)
    /// A picture is done: its number, from 0, and what it is.
    case picture(Int, Picture)
  }

  /// The plan.
  public let model: CompiledModel
  /// Height and width of the pictures.
  public let size: PictureSize
  private let textEncoder: TextEncoder
  private let unet: GuidedUNet
  private let decoder: VAEDecoderModel

  /// Prepares a picture size of a plan; the first one unless told otherwise.
  ///
  /// - Throws: `SDError` for a size or component that the plan does not have, and for too little memory.
  public init(_ model: CompiledModel, size: PictureSize? = nil) throws(SDError) {
    self.model = model
    self.size = try model.chosen(size)
    try model.checkMemory([
      GraphKey(component: .textEncoder, entry: "general"),
      GraphKey(component: .unet, entry: "guided", size: self.size),
      GraphKey(component: .vaeDecoder, entry: "general", size: self.size),
    ])
    textEncoder = try model.textEncoder()
    unet = try GuidedUNet(model, self.size)
    decoder = try model.vaeDecoder(self.size)
  }

  /// The scheduler of a request.
  ///
  /// - Throws: `SDError` (usage) for a number of steps that it cannot take.
  public func scheduler(_ request: Request) throws(SDError) -> Scheduler {
    try Scheduler(request.scheduler, configuration: model.schedulerConfiguration, steps: request.steps)
  }

  /// Draws the pictures of a request.
  ///
  /// - Parameter observe: told what happens; what it throws ends the run.
  /// - Throws: `SDError`: usage for a request that makes no sense, numerics when a result is not a number,
  ///   cancelled when it is stopped.
  public func generate(
    _ request: Request, observe: (Event) throws(SDError) -> Void = { _ in }
  ) throws(SDError) -> [Picture] {
    try check(request)
    let scheduler = try scheduler(request)
    let unconditional = try encode(request.negativePrompt, observe)
    let conditional = try encode(request.prompt, observe)
    let batch = unet.batch
    try unet.setPrompts(
      unconditional: Array(repeating: unconditional, count: batch),
      conditional: Array(repeating: conditional, count: batch))
    var pictures: [Picture] = []
    for start in stride(from: 0, to: request.count, by: batch) {
      let range = start..<min(start + batch, request.count)
      pictures += try draw(range, request, scheduler, observe)
    }
    return pictures
  }

  private var latentShape: [Int] {
    [model.info.latentChannels, size.height / model.info.vaeFactor, size.width / model.info.vaeFactor]
  }

  private func check(_ request: Request) throws(SDError) {
    guard request.guidanceScale.isFinite else {
      throw SDError(.usage, "the guidance scale must be a number, it is \(request.guidanceScale)")
    }
    guard (1...10_000).contains(request.count) else {
      throw SDError(.usage, "the number of pictures must be in 1 ... 10000, it is \(request.count)")
    }
    guard request.seed.addingReportingOverflow(UInt64(request.count - 1)).overflow == false else {
      throw SDError(.usage, "seed \(request.seed) is too large for \(request.count) pictures")
    }
    if let every = request.previewEvery, every < 1 {
      throw SDError(.usage, "previews must be at least 1 step apart, not \(every)")
    }
    if let latents = request.latents, latents.shape != [request.count] + latentShape {
      throw SDError(
        .usage,
        "latents must be \(TensorType(.f32, [request.count] + latentShape)) for \(request.count) pictures of "
          + "\(size), they are \(latents.type)")
    }
  }

  private func encode(_ prompt: String, _ observe: (Event) throws(SDError) -> Void) throws(SDError) -> [Float] {
    let encoding = model.tokenizer.encode(prompt)
    if let ignored = encoding.truncatedText { try observe(.truncated(prompt: prompt, ignored: ignored)) }
    return try textEncoder(encoding.ids).values
  }

  /// Draws some of the pictures in one pass a step.
  private func draw(
    _ range: Range<Int>, _ request: Request, _ scheduler: Scheduler, _ observe: (Event) throws(SDError) -> Void
  ) throws(SDError) -> [Picture] {
    var runs = range.map { Run(picture: $0, request, scheduler, count: latentShape.reduce(1, *)) }
    let timesteps = scheduler.timesteps
    unet.setSchedule(timesteps)
    for index in timesteps.indices {
      // Rows of the pass that no picture needs repeat the last one that does.
      let inputs = (0..<unet.batch).map { row in
        let run = runs[min(row, runs.count - 1)]
        return latents(run.scheduler.scaleModelInput(run.sample, at: index)).channelsLast.values
      }
      let outputs = try unet.predict(inputs, at: index)
      for row in runs.indices {
        let guided = guide(outputs.unconditional[row], outputs.conditional[row], request.guidanceScale)
        runs[row].step(Tensor([1] + channelsLastShape, guided).channelsFirst.values, at: index)
        guard runs[row].sample.allSatisfy(\.isFinite) else { throw notANumber("the latents", step: index + 1) }
      }
      try observe(.step(index + 1, of: timesteps.count, pictures: range))
      if let every = request.previewEvery, (index + 1) % every == 0, index + 1 < timesteps.count {
        for run in runs { try observe(.preview(picture: run.picture, step: index + 1, decode(run.sample))) }
      }
    }
    var pictures: [Picture] = []
    for run in runs {
      pictures.append(Picture(seed: run.seed, image: try decode(run.sample), latents: latents(run.sample)))
      try observe(.picture(run.picture, pictures[pictures.count - 1]))
    }
    return pictures
  }

  private var channelsLastShape: [Int] { Array(latentShape[1...]) + [latentShape[0]] }

  private func latents(_ values: [Float]) -> Tensor { Tensor([1] + latentShape, values) }

  /// `u + g · (c − u)`; without guidance the prompt's prediction itself.
  private func guide(_ unconditional: [Float], _ conditional: [Float], _ scale: Float) -> [Float] {
    scale <= 1 ? conditional : zip(unconditional, conditional).map { $0 + scale * ($1 - $0) }
  }

  private func decode(_ sample: [Float]) throws(SDError) -> Image {
    let scaling = Float(model.info.scalingFactor)
    let decoded = try decoder(latents(sample.map { $0 / scaling }))
    guard decoded.values.allSatisfy(\.isFinite) else { throw notANumber("the decoded picture", step: nil) }
    return try Image(decoded: decoded.values, width: size.width, height: size.height)
  }

  private func notANumber(_ what: String, step: Int?) -> SDError {
    SDError(
      .numerics,
      "\(what) \(what.hasSuffix("s") ? "hold" : "holds") values that are not finite"
        + (step.map { " after step \($0)" } ?? ""),
      hint: "SD_CHECK_NAN=1 names the first operation that makes them."
        + (model.info.precision == .fp16 ? " float16 overflows above 65504: compile with --precision bf16." : ""))
  }
}

/// One picture on its way.
private struct Run {
  let picture: Int
  let seed: UInt64
  var scheduler: Scheduler
  var sample: [Float]
  private var generator: TorchGenerator

  /// Starts from the seed's noise, or from given noise. The seed's is drawn in both cases, so that the noise of
  /// later steps does not depend on where the first came from.
  init(picture: Int, _ request: StableDiffusion.Request, _ scheduler: Scheduler, count: Int) {
    self.picture = picture
    self.scheduler = scheduler
    seed = request.seed + UInt64(picture)
    generator = TorchGenerator(seed: seed)
    let drawn = generator.randn(count)
    let noise = request.latents.map { $0.rows(picture, 1) } ?? drawn
    sample = noise.map { $0 * scheduler.initNoiseSigma }
  }

  mutating func step(_ output: [Float], at index: Int) {
    sample = scheduler.step(output, at: index, sample: sample) { generator.randn($0) }
  }
}
