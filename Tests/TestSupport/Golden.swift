package import DiffusionModels
package import GraphIR
package import GraphPasses
import GraphRuntime

/// Reference outputs of a micro model: Tools/reference/goldens.py says what is in the file.
package struct Golden: Sendable {
  /// A run of diffusers' pipeline.
  package struct Run: Sendable, Hashable {
    /// Its name in the file.
    package let name: String
    /// The sampler.
    package let scheduler: SchedulerName
    /// Denoising steps.
    package let steps: Int
    /// The guidance scale.
    package let guidance: Float
  }

  /// Height and width of the pictures: not square, latents odd at every level.
  package static let size = PictureSize(height: 72, width: 56)

  /// What the pictures show.
  package let prompt: String
  /// What they do not show.
  package let negativePrompt: String
  /// The seed of the runs.
  package let seed: UInt64
  /// All runs.
  package let runs: [Run]
  /// How far PyTorch itself is from its float32 results in 16 bits: NMSE by precision and output.
  package let rounding: [Precision: [String: Double]]
  private let file: Safetensors

  /// Opens a golden file.
  package init(_ path: String) throws(SDError) {
    file = try Safetensors(path: path)
    let text = Array((file.metadata["golden"] ?? "").utf8)
    let meta = try JSON.Config(JSON(parsing: text, name: path), file: path)
    prompt = try meta.string("prompt")
    negativePrompt = try meta.string("negative")
    seed = UInt64(try meta.int("seed"))
    var runs: [Run] = []
    for (name, value) in meta.members["runs"]?.object?.members ?? [] {
      let run = try JSON.Config(value, file: path)
      runs.append(
        Run(
          name: name, scheduler: try SchedulerName(run.string("scheduler")), steps: try run.int("steps"),
          guidance: Float(try run.double("guidance"))))
    }
    self.runs = runs
    var rounding: [Precision: [String: Double]] = [:]
    for (name, values) in meta.members["rounding"]?.object?.members ?? [] {
      guard let precision = Precision(rawValue: name) else { continue }
      for (output, value) in values.object?.members ?? [] { rounding[precision, default: [:]][output] = value.double }
    }
    self.rounding = rounding
  }

  /// A tensor of the file.
  package func tensor(_ name: String) throws(SDError) -> Tensor {
    let entry = try file.tensor(name)
    if entry.storedType == "I64" {
      return Tensor(TensorType(.i64, entry.shape), try entry.int64s().map { Float($0) })
    }
    return Tensor(entry.shape, try entry.floats())
  }

  /// The picture of a run, [72, 56, 3]; nil where only its latents are stored.
  package func picture(of run: Run) -> [UInt8]? {
    guard let entry = file.tensors["run.\(run.name).image"] else { return nil }
    defer { extendLifetime(file) }
    return Array(entry.bytes)
  }

  /// What a run asks for.
  package func request(_ run: Run) -> StableDiffusion.Request {
    var request = StableDiffusion.Request(prompt: prompt)
    request.negativePrompt = negativePrompt
    request.seed = seed
    request.steps = run.steps
    request.guidanceScale = run.guidance
    request.scheduler = run.scheduler
    return request
  }
}
