package import DiffusionModels
package import GraphIR
package import GraphPasses
import GraphRuntime
import Synchronization

/// A small checkpoint of the fixtures, and what diffusers computes with it; made by Tools/reference/goldens.py.
package struct MicroModel: Sendable, Hashable, CustomStringConvertible {
  /// Its folder's name.
  package let description: String

  /// Stable Diffusion 1's structure: convolutions around the transformers, quick GELU; float16 files.
  package static let sd15 = MicroModel(description: "micro-sd15")
  /// Stable Diffusion 2's: linear layers, v-prediction, heads by width; a bfloat16 U-Net in shards.
  package static let sd21 = MicroModel(description: "micro-sd21")
  /// Both.
  package static let all = [sd15, sd21]

  /// The checkpoint in diffusers' layout.
  package var folder: String { fixture(description) }

  /// The reference outputs.
  package func golden() throws(SDError) -> Golden { try Golden("\(folder)/golden.safetensors") }

  /// How a plan of the model is compiled.
  package struct Variant: Sendable, Hashable {
    /// Element type.
    package var precision = Precision.fp32
    /// Picture sizes.
    package var sizes = [Golden.size]
    /// Pictures of one pass.
    package var batch = 1

    /// A float32 plan for the goldens' size unless told otherwise.
    package init(_ precision: Precision = .fp32, sizes: [PictureSize] = [Golden.size], batch: Int = 1) {
      (self.precision, self.sizes, self.batch) = (precision, sizes, batch)
    }
  }

  /// The path of a compiled plan; each variant is compiled once.
  package func plan(_ variant: Variant = Variant()) throws(SDError) -> String {
    try PlanCache.shared.plan(self, variant)
  }

  /// A compiled plan, opened.
  package func compiled(
    _ variant: Variant = Variant(), _ options: CompiledModel.Options = CompiledModel.Options()
  ) throws(SDError) -> CompiledModel {
    try CompiledModel(plan: plan(variant), options)
  }

  /// Compiles a variant to a path.
  package func compile(_ variant: Variant, to path: String) throws(SDError) -> CompileReport {
    var options = PlanCompiler.Options()
    (options.sizes, options.precision, options.batch) = (variant.sizes, variant.precision, variant.batch)
    return try PlanCompiler(ModelSource(folder: folder), options).compile(to: path)
  }
}

/// Plans that several tests use.
private final class PlanCache: Sendable {
  static let shared = PlanCache()

  private struct Key: Hashable {
    let model: MicroModel
    let variant: MicroModel.Variant
  }

  private let folder = Result { () throws(SDError) in try makeFolderOfProcess() }
  private let plans = Mutex<[Key: Result<String, SDError>]>([:])

  func plan(_ model: MicroModel, _ variant: MicroModel.Variant) throws(SDError) -> String {
    let folder = try folder.get()
    let result = plans.withLock { plans in
      let key = Key(model: model, variant: variant)
      if let known = plans[key] { return known }
      let path = "\(folder)/\(plans.count).sdplan"
      let result = Result { () throws(SDError) in _ = try model.compile(variant, to: path) }.map { path }
      plans[key] = result
      return result
    }
    return try result.get()
  }
}
