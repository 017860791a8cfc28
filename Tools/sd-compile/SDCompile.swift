import ArgumentParser
import DiffusionModels
import GraphIR
import GraphPasses
import GraphRuntime
import ToolSupport

@main
enum Main {
  // An option whose value may be left out is more than the parser knows.
  static func main() { Tool.main(SDCompile.self) { $0 == "--stats" ? "--stats=text" : $0 } }
}

/// `sd-compile`: a checkpoint in, a plan file out.
struct SDCompile: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sd-compile",
    abstract: "Compiles a Stable Diffusion model into a plan file that sd-run draws pictures with.",
    discussion: """
      MODEL is a folder in diffusers' layout (model_index.json, unet/, vae/, text_encoder/, tokenizer/, scheduler/)
      with safetensors weights. --arch sd15 or sd21 needs no files at all and compiles that architecture with random
      weights, to measure it.

        sd-compile stable-diffusion-v1-5 -o sd15.sdplan
        sd-compile stable-diffusion-v1-5 -o sd15.sdplan --size 512x512 --size 512x768 --precision bf16
        sd-compile --arch sd15 --random-weights 0 -o random.sdplan --stats
      """,
    version: PlanInfo.version)

  @Argument(help: "Folder of the model, in diffusers' layout.")
  var model: String?

  @Option(help: "A built-in architecture instead of a folder: sd15, sd21.")
  var arch: String?

  @Option(name: [.short, .customLong("output")], help: "The plan file to write.")
  var output: String

  @Option(help: "Picture size in pixels, HEIGHTxWIDTH; several share their weights. (default: the model's own)")
  var size: [String] = []

  @Option(help: "Pictures drawn in one pass.")
  var batch = 1

  @Option(help: "auto, fp32, bf16 or fp16: the type of weights and activations; sums are always float32.")
  var precision = "auto"

  @Option(help: "What the plan is packed for: cpu, cuda, or cuda:sm_90 with kernels for one family of GPUs.")
  var target = "cpu"

  @Option(help: "all, or some of text_encoder,unet,vae_decoder,vae_encoder.")
  var components = "all"

  @Option(parsing: .unconditional, help: "Draw the weights from this seed instead of reading them.")
  var randomWeights: String?

  @Option(help: "Leave a pass out; may be given several times. --verbose lists the passes.")
  var disablePass: [String] = []

  @Option(help: "Stop rewriting each graph after so many rewrites, to find the one that breaks a model.")
  var rewriteLimit: Int?

  @Option(help: "Write the graph behind every pass that changed it to this folder, as text and as Graphviz.")
  var dumpDir: String?

  @Flag(help: "Compare the graph before and after every pass on random numbers. Slow; for small models.")
  var checkPasses = false

  @Flag(
    help:
      "Time every convolution on this machine, for a GPU as the target on that, and store how each runs fastest. Minutes for a large model."
  )
  var tune = false

  @Option(help: "Print what the passes did and what the programs need: text or json.")
  var stats: String?

  @Flag(help: "Print nothing but errors.")
  var quiet = false

  @Flag(help: "Print a line for every pass.")
  var verbose = false

  mutating func run() throws {
    let source = try modelSource()
    let report = try compiler(source).compile(to: output)
    if let stats { print(stats == "json" ? try report.json() : report.text) }
    if !quiet { StandardError.print("\(output): plan \(report.planID.prefix(10))") }
  }

  private func modelSource() throws(SDError) -> ModelSource {
    let randomWeights = try randomWeights.map { (text) throws(SDError) in try Seed.parse(text) }
    switch (model, arch) {
    case (let folder?, nil): return try ModelSource(folder: folder, randomWeights: randomWeights)
    case (nil, let name?):
      guard let seed = randomWeights else {
        throw SDError(.usage, "--arch has no weights: it needs --random-weights SEED")
      }
      return try ModelSource(Architecture(name: name), randomWeights: seed)
    default: throw SDError(.usage, "name either a MODEL folder or an --arch")
    }
  }

  private func compiler(_ source: ModelSource) throws(SDError) -> PlanCompiler {
    var options = PlanCompiler.Options()
    for text in size { options.sizes.append(try PictureSize(text)) }
    options.batch = batch
    options.target = try PlanTarget(target)
    options.components = try Component.list(components)
    options.cpu = try Debug.cpu()
    if precision != "auto" {
      guard let chosen = Precision(rawValue: precision) else {
        throw SDError(.usage, "unknown precision '\(precision)'", hint: "It must be auto, fp32, bf16 or fp16.")
      }
      options.precision = chosen
    }
    if let stats, !["text", "json"].contains(stats) {
      throw SDError(.usage, "--stats prints text or json, not '\(stats)'")
    }
    if let limit = rewriteLimit, limit < 0 {
      throw SDError(.usage, "the rewrite limit must be at least 0, it is \(limit)")
    }
    options.tune = tune
    options.passes.disabled = Set(disablePass)
    options.passes.rewriteLimit = rewriteLimit
    options.passes.check = checkPasses
    if verbose || Debug.level >= 3 { options.passes.log = { StandardError.print($0) } }
    if let dumpDir { options.passes.dump = try DumpFolder(dumpDir).write }
    if let model { try DistinctFiles.check(output, isNoFileOf: model) }
    try AtomicFile.checkWritable(output)
    var compiler = PlanCompiler(source, options)
    let tuning = ProgressBar("tuning", isQuiet: quiet)
    compiler.tuningProgress = { tuning.update(Int($0 * 100), of: 100, unit: "%") }
    let kernels = ProgressBar("kernels", isQuiet: quiet)
    compiler.kernelProgress = { kernels.update(Int($0 * 100), of: 100, unit: "%") }
    let bar = ProgressBar("weights", isQuiet: quiet)
    compiler.progress = { bar.update(Int($0 * 100), of: 100, unit: "%") }
    return compiler
  }
}
