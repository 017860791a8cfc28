public import GraphIR

/// The samplers by the names that the command line takes.
public enum SchedulerName: String, CaseIterable, Sendable {
  /// Pseudo numerical methods: linear multistep, with or without a Runge–Kutta start.
  case pndm
  /// Denoising diffusion implicit models, η = 0.
  case ddim
  /// Linear multistep of order 4 over σ.
  case lms
  /// Euler's method over σ.
  case euler
  /// Euler's method with fresh noise at every step.
  case eulerAncestral = "euler-a"
  /// Heun's method over σ: two model calls a step.
  case heun
  /// DPM-Solver++, multistep.
  case dpmSolver = "dpm++2m"
  /// DPM-Solver++, multistep, over Karras's σ.
  case dpmSolverKarras = "dpm++2m-karras"
  /// Unified predictor-corrector, multistep.
  case unipc
  /// Latent consistency models: a few large steps with noise between them.
  case lcm

  /// The scheduler of a name as typed by a user.
  ///
  /// - Throws: `usage` with the known names, and the nearest as a hint.
  public init(_ text: String) throws(SDError) {
    guard let name = Self(rawValue: text) else {
      let known = Self.allCases.map(\.rawValue)
      throw SDError(
        .usage, "there is no scheduler \"\(text)\"; known: \(known.joined(separator: " "))",
        hint: nearest(to: text, in: known).map { "did you mean \($0)?" })
    }
    self = name
  }

  /// diffusers' class names and what they are called here.
  private static let classes: KeyValuePairs<String, SchedulerName> = [
    "PNDMScheduler": .pndm,
    "DDIMScheduler": .ddim,
    "LMSDiscreteScheduler": .lms,
    "EulerDiscreteScheduler": .euler,
    "EulerAncestralDiscreteScheduler": .eulerAncestral,
    "HeunDiscreteScheduler": .heun,
    "DPMSolverMultistepScheduler": .dpmSolver,
    "UniPCMultistepScheduler": .unipc,
    "LCMScheduler": .lcm,
  ]

  /// The scheduler that a configuration is written for.
  ///
  /// - Throws: `incompatible` when its class is none of those that are known here.
  public init(of configuration: SchedulerConfiguration) throws(SDError) {
    guard let entry = Self.classes.first(where: { $0.key == configuration.className }) else {
      throw SDError(
        .incompatible,
        "the model's scheduler is of the class \"\(configuration.className)\", which is not supported; "
          + "supported: \(Self.classes.map(\.key).joined(separator: ", "))",
        hint: "ask for another scheduler by name: \(Self.allCases.map(\.rawValue).joined(separator: " "))")
    }
    let karras = entry.value == .dpmSolver && configuration.useKarrasSigmas == true
    self = karras ? .dpmSolverKarras : entry.value
  }
}
