import ArgumentParser
import DiffusionModels
import GraphIR
import GraphRuntime
import ToolSupport

@main
enum Main {
  static func main() { Tool.main(SDRun.self) }
}

/// `sd-run`: executes a plan.
struct SDRun: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sd-run",
    abstract: "Draws pictures with a plan that sd-compile made, or runs one of its components.",
    discussion: """
        sd-run sd15.sdplan --prompt "a photograph of an astronaut riding a horse" --seed 32 -o astronaut.png
        sd-run sd15.sdplan --prompt "a red circle" --num-images 4 --scheduler dpm++2m --steps 20
        sd-run sd15.sdplan --inspect
        sd-run sd15.sdplan --component unet --inputs in.safetensors --outputs out.safetensors

      A component reads and writes float32 tensors in PyTorch's layouts, any number of rows B:
        text_encoder  input_ids i64 [B,77] -> last_hidden_state [B,77,D]
        unet          sample [B,C,h,w], timestep [B], encoder_hidden_states [B,77,D] -> out [B,C,h,w]
        vae_decoder   latent [B,C,h,w], divided by the scaling factor -> decoded [B,3,H,W]
        vae_encoder   image [B,3,H,W] -> mean, logvar [B,C,h,w], unscaled

      Picture i of --num-images is drawn with seed + i exactly as if alone, into out-0.png, out-1.png ...
      Exit codes: 0 ok, 2 usage, 3 damaged input, 4 incompatible, 5 resources, 6 device, 7 not a number.
      """,
    version: PlanInfo.version)

  @Argument(help: "The plan file.")
  var plan: String

  @Option(parsing: .unconditional, help: "What the picture shows.")
  var prompt: String?

  @Option(parsing: .unconditional, help: "What it does not show.")
  var negativePrompt = ""

  @Option(parsing: .unconditional, help: "Seed of the noise: torch's CPU generator, bit for bit.")
  var seed = "0"

  @Option(parsing: .unconditional, help: "Denoising steps.")
  var steps = 50

  @Option(parsing: .unconditional, help: "How far the prompt is followed; 1 is without guidance, in half the time.")
  var guidanceScale: Float = 7.5

  @Option(
    help: """
      \(SchedulerName.allCases.map(\.rawValue).joined(separator: " ")) (default: the checkpoint's)
      """)
  var scheduler: String?

  @Option(help: "How many pictures.")
  var numImages = 1

  @Option(help: "Picture size, HEIGHTxWIDTH; one that the plan was compiled for. (default: its first)")
  var size: String?

  @Option(name: [.short, .customLong("output")], help: "The picture to write.")
  var output = "out.png"

  @Option(help: "Threads. (default: one for every processor)")
  var threads: Int?

  @Option(help: "auto, cpu, cuda, cuda:1 ..., or reference: slow, plain, and the judge of the others.")
  var device = "auto"

  @Option(help: "Start from the unit noise `latents` [B,C,h,w] of this safetensors file.")
  var latentsIn: String?

  @Option(help: "Write the final `latents` [B,C,h,w], before division by the scaling factor, to this file.")
  var latentsOut: String?

  @Option(help: "Write a preview beside the picture every so many steps.")
  var previewEvery: Int?

  @Option(help: "Write a trace of all kernel calls (Perfetto opens it) and print where the time went.")
  var profile: String?

  @Option(help: "Run one component: text_encoder, unet, vae_decoder, vae_encoder.")
  var component: String?

  @Option(help: "Its input tensors, a safetensors file.")
  var inputs: String?

  @Option(help: "Where its output tensors go.")
  var outputs: String?

  @Flag(help: "Print what is in the plan.")
  var inspect = false

  @Flag(help: "Read the plan into memory instead of mapping it.")
  var noMmap = false

  @Flag(help: "Run operations that this program does not know through the decompositions stored in the plan.")
  var allowFallback = false

  @Flag(help: "Print nothing but errors and warnings.")
  var quiet = false

  mutating func run() throws {
    var options = CompiledModel.Options()
    options.threads = threads
    options.device = try DeviceName(name: device)
    options.mapped = !noMmap
    options.allowFallback = allowFallback
    options.profiled = profile != nil
    let pictures = prompt == nil ? [] : PictureFiles(output, count: numImages).all(previews: previewEvery != nil)
    try DistinctFiles.check([plan, latentsIn, inputs, latentsOut, profile, outputs] + pictures)
    for path in [latentsOut, profile, outputs].compactMap(\.self) { try AtomicFile.checkWritable(path) }
    let model = try CompiledModel(plan: plan, options)
    if inspect {
      print(model.inspection())
    } else if let component {
      try runComponent(Component(name: component), model)
    } else {
      try draw(model)
    }
    if let profile { try report(model, to: profile) }
  }

  private func runComponent(_ component: Component, _ model: CompiledModel) throws(SDError) {
    guard let inputs, let outputs else {
      throw SDError(.usage, "--component needs --inputs and --outputs")
    }
    let size = try size.map { (text) throws(SDError) in try PictureSize(text) }
    let tensors = try TensorFile.read(inputs)
    try TensorFile.write(component.run(model, tensors, size: size), to: outputs)
  }

  private func draw(_ model: CompiledModel) throws(SDError) {
    guard let prompt else {
      throw SDError(.usage, "--prompt is missing", hint: "Or --inspect, or --component. See sd-run --help.")
    }
    var request = StableDiffusion.Request(prompt: prompt)
    request.negativePrompt = negativePrompt
    request.seed = try Seed.parse(seed)
    request.steps = steps
    request.guidanceScale = guidanceScale
    request.scheduler = try scheduler.map { (name) throws(SDError) in try SchedulerName(name) }
    request.count = numImages
    request.previewEvery = previewEvery
    let files = PictureFiles(output, count: numImages)
    try files.checkWritable()
    if let latentsIn { request.latents = try TensorFile.latents(latentsIn) }
    let size = try size.map { (text) throws(SDError) in try PictureSize(text) }
    let pipeline = try StableDiffusion(model, size: size)
    let name = try pipeline.scheduler(request).name

    var bar = ProgressBar("steps", isQuiet: quiet)
    let pictures = try pipeline.generate(request) { (event) throws(SDError) in
      switch event {
      case .truncated(_, let ignored):
        StandardError.print("warning: the prompt has more than \(model.info.tokens) tokens, ignored: \(ignored)")
      case .step(let step, let total, _): bar.update(step, of: total, unit: "it")
      case .preview(let picture, _, let image): try files.writePreview(image, picture)
      case .picture(let index, let picture):
        try files.write(picture, index, request: request, scheduler: name, model)
        if !quiet { print(files[index]) }
        bar = ProgressBar("steps", isQuiet: quiet)
      }
    }
    if let latentsOut { try TensorFile.write(["latents": .joined(pictures.map(\.latents))], to: latentsOut) }
  }

  private func report(_ model: CompiledModel, to path: String) throws(SDError) {
    guard let trace = try model.trace else { return }
    var file = try AtomicFile(path)
    try file.append(Array(trace.json.utf8))
    try file.commit()
    print(trace.table)
  }
}
