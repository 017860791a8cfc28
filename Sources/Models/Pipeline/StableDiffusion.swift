public import GraphIR
import GraphPasses
import GraphRuntime

/// Draws pictures from prompts: text encoder, U-Net under a scheduler, decoder.
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
    /// How far the prompt's prediction is followed beyond the negative one's; 1 or less follows the prompt's alone, in half
    /// the time, and does not look at the negative prompt.
    public var guidanceScale: Float = 7.5
    /// The sampler; nil takes the checkpoint's.
    public var scheduler: SchedulerName?
    /// How many pictures.
    public var count = 1
    /// The most pictures.
    package static let maximumCount = 10_000
    /// Unit noise `[count, C, h, w]` to start from, instead of the seed's.
    public var latents: Tensor?
    /// Decode a preview every so many events of `step`; nil never does.
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
    /// The U-Net has run, on a GPU been asked to: number, of how many (some samplers run it twice a step), for which
    /// pictures.
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
  /// With guidance or without, as the last request asked.
  private var unet: DenoisingUNet?
  private let decoder: VAEDecoderModel

  /// Prepares a picture size of a plan; the first one unless told otherwise.
  ///
  /// - Throws: `SDError` for a size or component that the plan does not have, and for too little memory.
  public init(_ model: CompiledModel, size: PictureSize? = nil) throws(SDError) {
    self.model = model
    self.size = try model.chosen(size)
    try model.checkMemory([
      GraphKey(component: .textEncoder, entry: "general"),
      model.info.denoisingKey(self.size, isGuided: true),
      GraphKey(component: .vaeDecoder, entry: "general", size: self.size),
    ])
    textEncoder = try model.textEncoder()
    decoder = try model.vaeDecoder(self.size)
  }

  /// The scheduler of a request.
  ///
  /// - Throws: `SDError`: usage for a number of steps that it cannot take, incompatible or invalid for a checkpoint's that
  ///   is not known or makes no sense.
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
    let unet = try unet(isGuided: request.guidanceScale > 1)
    let negative = unet.isGuided ? try encode(request.negativePrompt, observe) : []
    try unet.setPrompt(encode(request.prompt, observe), negative: negative)
    var pictures: [Picture] = []
    for start in stride(from: 0, to: request.count, by: unet.batch) {
      let range = start..<min(start + unet.batch, request.count)
      pictures += try draw(range, request, unet, scheduler, observe)
    }
    return pictures
  }

  /// The U-Net as a request needs it; another one's memory is given back first.
  private func unet(isGuided: Bool) throws(SDError) -> DenoisingUNet {
    let key = model.info.denoisingKey(size, isGuided: isGuided)
    if let unet, unet.key == key { return unet }
    unet = nil
    let prepared = try DenoisingUNet(model, key)
    unet = prepared
    return prepared
  }

  private var latentShape: [Int] {
    [model.info.latentChannels, size.height / model.info.vaeFactor, size.width / model.info.vaeFactor]
  }

  private func check(_ request: Request) throws(SDError) {
    guard request.guidanceScale.isFinite else {
      throw SDError(.usage, "the guidance scale must be a number, it is \(request.guidanceScale)")
    }
    guard (1...Request.maximumCount).contains(request.count) else {
      throw SDError(.usage, "the number of pictures must be in 1 ... \(Request.maximumCount), it is \(request.count)")
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
    _ range: Range<Int>, _ request: Request, _ unet: DenoisingUNet, _ scheduler: Scheduler,
    _ observe: (Event) throws(SDError) -> Void
  ) throws(SDError) -> [Picture] {
    let trajectories = range.map {
      Trajectory(picture: $0, request, scheduler, shape: latentShape)
    }
    let timesteps = scheduler.timesteps
    unet.setSchedule(timesteps)
    let denoising = try denoising(unet, trajectories, request.guidanceScale)
    for index in timesteps.indices {
      try denoising.step(index)
      try observe(.step(index + 1, of: timesteps.count, pictures: range))
      if let every = request.previewEvery, (index + 1) % every == 0, index + 1 < timesteps.count {
        for (picture, sample) in zip(range, try denoising.samples()) {
          try observe(.preview(picture: picture, step: index + 1, decode(sample)))
        }
      }
    }
    var pictures: [Picture] = []
    for (trajectory, sample) in zip(trajectories, try denoising.samples()) {
      pictures.append(Picture(seed: trajectory.seed, image: try decode(sample), latents: sample))
      try observe(.picture(trajectory.picture, pictures[pictures.count - 1]))
    }
    return pictures
  }

  /// On a GPU the loop runs there, if its kernel can do what the sampler wants.
  private func denoising(
    _ unet: DenoisingUNet, _ trajectories: [Trajectory], _ guidance: Float
  ) throws(SDError) -> any Denoising {
    if let device = model.device as? CUDADevice,
      let denoising = try CUDADenoising(device, unet, trajectories, guidance)
    {
      return denoising
    }
    return HostDenoising(unet, trajectories, guidance)
  }

  private func decode(_ latents: Tensor) throws(SDError) -> Image {
    let scaling = Float(model.info.scalingFactor)
    let decoded = try decoder(Tensor(latents.type, latents.values.map { $0 / scaling }))
    guard decoded.values.allSatisfy(\.isFinite) else {
      throw .notFinite("the decoded picture holds values that are not finite", model.info)
    }
    return try Image(decoded: decoded.values, width: size.width, height: size.height)
  }
}
