public import GraphIR
public import GraphPasses
public import GraphRuntime

/// What a plan is packed for. Any plan runs on any device; on another one its weights are re-packed when it is loaded.
public enum PlanTarget: Hashable, Sendable {
  /// Processors.
  case cpu
  /// GPUs of NVIDIA's: the plan has compiled kernels for these families.
  case cuda([CUDAArchitecture])

  /// Reads `cpu`, `cuda`, which is all families, or `cuda:sm_80,sm_90`. A GPU that is not the first of its family, as
  /// `sm_103`, stands for the family.
  ///
  /// - Throws: `SDError` (usage) for anything else.
  public init(_ text: String) throws(SDError) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    switch (parts[0], parts.dropFirst().first) {
    case ("cpu", nil): self = .cpu
    case ("cuda", nil): self = .cuda(CUDAArchitecture.allCases)
    case ("cuda", let list?):
      var families: [CUDAArchitecture] = []
      for name in list.split(separator: ",", omittingEmptySubsequences: false) {
        guard let family = CUDAArchitecture(name: String(name)) else {
          let known = CUDAArchitecture.allCases.map(\.name).joined(separator: ", ")
          throw SDError(
            .usage, "unknown family of GPUs '\(name)' in the target '\(text)'", hint: "The families are \(known).")
        }
        if !families.contains(family) { families.append(family) }
      }
      self = .cuda(families)
    default:
      throw SDError(
        .usage, "unknown target '\(text)'", hint: "The targets are cpu, cuda, and cuda:sm_90 for one family of GPUs.")
    }
  }

  /// `cpu` or `cuda`.
  public var name: String { if case .cpu = self { "cpu" } else { "cuda" } }

  /// The families that kernels are compiled for.
  public var architectures: [CUDAArchitecture] { if case .cuda(let families) = self { families } else { [] } }

  /// The element type that suits the hardware: on GPUs float16, which is as fast as bfloat16 and more exact, but for the
  /// autoencoder, whose values float16 may not hold; on processors bfloat16 where they multiply it.
  public func precision(for component: Component) -> Precision {
    switch (self, component) {
    case (.cuda, .vaeDecoder), (.cuda, .vaeEncoder): .bf16
    case (.cuda, _): .fp16
    case (.cpu, _): CPU.best.multipliesBF16 ? .bf16 : .fp32
    }
  }

  /// The kernels that lowering chooses from.
  func library(_ device: CPUDevice) -> any KernelLibrary {
    // Which weights a program wants, and how, is the same on all GPUs.
    architectures.first.map { CUDALibrary(GPU(typical: $0)) } ?? device.library
  }
}
