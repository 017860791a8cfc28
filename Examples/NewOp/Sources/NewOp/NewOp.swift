import DiffusionModels
import Foundation
import GraphIR
import GraphPasses
import GraphRuntime

/// Adds an op to the compiler and the runtime, puts it into a model, and shows that nothing went wrong.
@main
enum NewOp {
  static let prompt = "a red circle on a blue background"

  static func main() {
    do {
      try checkOp()
      try checkModel()
    } catch {
      print("error: \(error)")
      exit(1)
    }
  }

  /// The kernel against the meaning.
  static func checkOp() throws {
    let report = try OpCheck(FiLM()).run { size, dtype in
      [TensorType(dtype, [2, 5, 7, size]), TensorType(dtype, [size]), TensorType(dtype, [size])]
    }
    print("checked  \(report)")
  }

  /// The op in a model: as it was, with the op's kernel, through its stored decomposition, and refused.
  static func checkModel() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("NewOp").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let (plain, film) = ("\(folder)/plain.sdplan", "\(folder)/film.sdplan")
    try compile([], to: plain)
    let rewrites = try compile([NormalizeToFiLM()], to: film)
    print("compiled \(film): \(rewrites) normalizations became FiLM")

    var registered = CompiledModel.Options()
    try registered.registry.register(FiLM.self)
    var fallback = CompiledModel.Options()
    fallback.allowFallback = true
    let before = try draw(plain, CompiledModel.Options())
    try compare("with the op's kernel", draw(film, registered), before)
    try compare("through the stored decomposition", draw(film, fallback), before)

    do {
      _ = try draw(film, CompiledModel.Options())
      throw SDError(.invalid, "a plan with an unknown op was run")
    } catch let error as SDError where error.code == .incompatible {
      print("refused  \(error)")
    }
  }

  /// Compiles the shapes model; returns how often the extra passes rewrote its guided U-Net.
  @discardableResult
  static func compile(_ passes: [any Pass], to path: String) throws -> Int {
    let model = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../../shapes").standardized.path
    var options = PlanCompiler.Options()
    options.precision = .fp32
    options.components = [.textEncoder, .unet, .vaeDecoder]
    options.extraPasses = passes
    let report = try PlanCompiler(ModelSource(folder: model), options).compile(to: path)
    let guided = report.graphs.first { $0.name.hasPrefix("unet.guided") }
    let entries = guided?.passes.entries.filter { entry in passes.contains { $0.name == entry.pass } }
    return entries?.reduce(0) { $0 + $1.rewrites } ?? 0
  }

  static func draw(_ plan: String, _ options: CompiledModel.Options) throws -> StableDiffusion.Picture {
    var request = StableDiffusion.Request(prompt: prompt)
    request.seed = 32
    request.steps = 20
    let pictures = try StableDiffusion(CompiledModel(plan: plan, options)).generate(request)
    return pictures[0]
  }

  /// Prints how far two pictures are apart; the same computation in another order may differ by one level of 255.
  static func compare(
    _ name: String, _ a: StableDiffusion.Picture, _ b: StableDiffusion.Picture
  ) throws {
    let levels = zip(a.image.pixels, b.image.pixels).map { abs(Int($0) - Int($1)) }.max() ?? 0
    let squares = zip(a.latents.values, b.latents.values).map { Double(($0 - $1) * ($0 - $1)) }
    let norm = b.latents.values.reduce(0) { $0 + Double($1 * $1) }
    let error = squares.reduce(0, +) / norm
    print("drew     \(name): latents differ by NMSE \(error), pixels by at most \(levels) of 255")
    guard error <= 1e-9, levels <= 1 else { throw SDError(.numerics, "the picture \(name) is another one") }
  }
}
