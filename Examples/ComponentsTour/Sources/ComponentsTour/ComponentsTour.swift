import DiffusionModels
import Foundation
import GraphIR

/// Draws a picture by hand, one component after the other, and compares it with the pipeline's.
///
///     swift run -c release ComponentsTour [PLAN [PICTURE]]
@main
enum ComponentsTour {
  static let prompt = "a red circle on a blue background"
  static let seed: UInt64 = 32
  static let steps = 50
  static let guidance: Float = 7.5

  static func main() {
    do {
      let arguments = Array(CommandLine.arguments.dropFirst())
      let plan = try arguments.first ?? compileShapes()
      let picture = arguments.count > 1 ? arguments[1] : "out-tour.png"
      let model = try CompiledModel(plan: plan)
      let image = try draw(model)
      try Data(image.png()).write(to: URL(fileURLWithPath: picture))
      print("The picture is \(picture)")
      try compare(image, with: pipelinePicture(model))
    } catch {
      print("error: \(error)")
      exit(1)
    }
  }

  static func draw(_ model: CompiledModel) throws -> Image {
    // 1. The tokenizer turns text into 77 numbers: start, words, end, padding.
    let ids = model.tokenizer.encode(prompt).ids
    let emptyIDs = model.tokenizer.encode("").ids
    print("tokens          \(ids.prefix(12))...")

    // 2. The text encoder turns them into 77 vectors. Guidance needs those of the empty prompt as well.
    let textEncoder = try model.textEncoder()
    let context = joined(try textEncoder(emptyIDs), try textEncoder(ids))
    print("hidden states   \(context.type)")

    // 3. The picture starts as noise, a tensor an eighth as high and wide as the picture, with 4 channels.
    let size = try model.chosen(nil)
    let factor = model.info.vaeFactor
    let shape = [1, model.info.latentChannels, size.height / factor, size.width / factor]
    var scheduler = try Scheduler(.lms, configuration: model.schedulerConfiguration, steps: steps)
    var generator = TorchGenerator(seed: seed)
    let noise = generator.randn(shape.reduce(1, *))
    var latents = Tensor(shape, noise.map { $0 * scheduler.initNoiseSigma })
    print("latents         \(latents.type), noise times \(scheduler.initNoiseSigma)")

    // 4. Each step asks the U-Net how the noise looks, without and with the prompt, goes further in the direction
    //    in which the prompt leads, and lets the scheduler (K-LMS) take some of that noise away.
    let unet = try model.unet()
    for (index, timestep) in scheduler.timesteps.enumerated() {
      let scaled = Tensor(shape, scheduler.scaleModelInput(latents.values, at: index))
      let predicted = try unet(
        sample: joined(scaled, scaled), timestep: Tensor([2], [Float(timestep), Float(timestep)]),
        encoderHiddenStates: context)
      let (unconditional, conditional) = halves(predicted)
      let guided = zip(unconditional, conditional).map { $0 + guidance * ($1 - $0) }
      latents.values = scheduler.step(guided, at: index, sample: latents.values) { generator.randn($0) }
    }
    print("denoised        \(steps) steps, from timestep \(scheduler.timesteps[0])")

    // 5. The decoder turns latents into a picture.
    latents.values = latents.values.map { $0 / Float(model.info.scalingFactor) }
    let decoded = try model.vaeDecoder()(latents)
    print("decoded         \(decoded.type)")
    return try Image(decoded: decoded.values, width: size.width, height: size.height)
  }

  /// What `sd-run` draws.
  static func pipelinePicture(_ model: CompiledModel) throws -> Image {
    var request = StableDiffusion.Request(prompt: prompt)
    request.seed = seed
    request.steps = steps
    request.guidanceScale = guidance
    request.scheduler = .lms
    return try StableDiffusion(model).generate(request)[0].image
  }

  static func compare(_ image: Image, with other: Image) throws {
    let differences = zip(image.pixels, other.pixels).map { abs(Int($0) - Int($1)) }
    guard image != other else { return print("It equals the pipeline's.") }
    let count = differences.count { $0 > 0 }
    throw SDError(
      .numerics,
      "\(count) of \(differences.count) samples differ from the pipeline's, by up to \(differences.max() ?? 0)")
  }

  /// Compiles the model in Examples/shapes.
  static func compileShapes() throws -> String {
    let model = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../../shapes").standardized.path
    let plan = FileManager.default.temporaryDirectory.appendingPathComponent("tour.sdplan").path
    var options = PlanCompiler.Options()
    options.components = [.textEncoder, .unet, .vaeDecoder]
    try PlanCompiler(ModelSource(folder: model), options).compile(to: plan)
    return plan
  }

  /// Two tensors as the rows of one.
  static func joined(_ a: Tensor, _ b: Tensor) -> Tensor {
    Tensor([2] + a.shape.dropFirst(), a.values + b.values)
  }

  /// The two rows of a tensor.
  static func halves(_ tensor: Tensor) -> (ArraySlice<Float>, ArraySlice<Float>) {
    let half = tensor.values.count / 2
    return (tensor.values[..<half], tensor.values[half...])
  }
}
