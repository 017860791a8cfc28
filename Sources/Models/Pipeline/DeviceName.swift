public import GraphIR
import GraphRuntime

/// Where a model runs.
public enum DeviceName: Hashable, Sendable {
  /// The first GPU of NVIDIA's if it works, or else the CPU.
  case auto
  /// The threaded CPU.
  case cpu
  /// A GPU of NVIDIA's, by number.
  case cuda(Int)
  /// The interpreter: slow, plain, and the judge of the others.
  case reference

  /// Reads `auto`, `cpu`, `cuda`, `cuda:1` or `reference`.
  ///
  /// - Throws: `SDError` (usage) for an unknown name.
  public init(name: String) throws(SDError) {
    switch name {
    case "auto": self = .auto
    case "cpu": self = .cpu
    case "cuda": self = .cuda(0)
    case "reference": self = .reference
    default:
      if name.hasPrefix("cuda:"), let number = Int(name.dropFirst(5)), number >= 0 {
        self = .cuda(number)
        return
      }
      let meant = nearest(to: name, in: ["auto", "cpu", "cuda", "reference"]).map { "Did you mean '\($0)'? " } ?? ""
      throw SDError(
        .usage, "unknown device '\(name)'", hint: "\(meant)The devices are auto, cpu, cuda, cuda:1 ..., reference.")
    }
  }

  /// The device itself.
  ///
  /// - Throws: `SDError` (device) for a GPU that cannot be used.
  func open(
    _ plan: PlanInfo, _ cpu: CPUDevice, _ kernels: StoredKernels?, _ tuning: Tuning?
  ) throws(SDError) -> any Device {
    func gpu(_ number: Int) throws(SDError) -> CUDADevice {
      let tuning: CUDATuning? = if case .cuda(let tuning) = tuning { tuning } else { nil }
      return try CUDADevice(CUDAContext(ordinal: number), stored: kernels, tuning: tuning)
    }
    switch self {
    case .cpu: return cpu
    case .reference: return ReferenceDevice()
    case .cuda(let number): return try gpu(number)
    case .auto:
      do throws(SDError) {
        let device = try gpu(0)
        try device.checkKernels()
        return device
      } catch {
        // Most machines have no GPU, which is news only where the plan was made for one.
        if plan.target == "cuda" || error != .noCUDADriver(.missing) {
          StandardError.print("note: running on the CPU, since no GPU can be used: \(error.message)")
        }
        return cpu
      }
    }
  }
}
