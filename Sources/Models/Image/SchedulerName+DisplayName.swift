extension SchedulerName {
  /// The name by which AUTOMATIC1111's web UI lists the sampler, as picture viewers expect it.
  public var displayName: String {
    switch self {
    case .pndm: "PLMS"
    case .ddim: "DDIM"
    case .lms: "LMS"
    case .euler: "Euler"
    case .eulerAncestral: "Euler a"
    case .heun: "Heun"
    case .dpmSolver: "DPM++ 2M"
    case .dpmSolverKarras: "DPM++ 2M Karras"
    case .unipc: "UniPC"
    case .lcm: "LCM"
    }
  }

  /// The scheduler of a sampler's display name, nil for one that is not offered.
  public init?(displayName: String) {
    guard let name = Self.allCases.first(where: { $0.displayName == displayName }) else { return nil }
    self = name
  }
}
