package import GraphIR

/// A family of GPUs that kernels are compiled for.
public enum CUDAArchitecture: String, Sendable, CaseIterable {
  /// A100.
  case sm80 = "sm_80"
  /// RTX 30.
  case sm86 = "sm_86"
  /// RTX 40, L40.
  case sm89 = "sm_89"
  /// H100, with what only this family has: products of warp groups.
  case sm90 = "sm_90a"
  /// B200.
  case sm100 = "sm_100"
  /// RTX 50.
  case sm120 = "sm_120"

  /// The family whose kernels run on a GPU of a compute capability (10 × major + minor), or nil.
  package init?(computeCapability: Int) {
    // Binaries run on later minor versions of the same major one. There are none of 9, whose own instructions would not,
    // and none for Jetson: those of other GPUs do not run on Orin and Thor.
    if [87, 101].contains(computeCapability) { return nil }
    let families = Self.allCases.filter {
      $0.computeCapability <= computeCapability && $0.computeCapability / 10 == computeCapability / 10
    }
    guard let family = families.last else { return nil }
    self = family
  }

  /// The family of `sm_90`, `sm_90a` or `sm_103`, or nil.
  package init?(name: String) {
    if let family = Self(rawValue: name) {
      self = family
    } else {
      // Those of GB300 and GB10, besides the first of each family.
      let known = Self.allCases.map(\.computeCapability) + [103, 121]
      guard name.hasPrefix("sm_"), let capability = Int(name.dropFirst(3)), known.contains(capability) else {
        return nil
      }
      self.init(computeCapability: capability)
    }
  }

  /// What users call it: `sm_90`.
  public var name: String { "sm_\(computeCapability)" }

  /// The first of the family: 90.
  package var computeCapability: Int { Int(rawValue.filter(\.isNumber)) ?? 0 }

  /// Floating-point operations of a multiprocessor's tensor cores in 16 bits, dense, with sums in float32.
  var flopsPerCycle: Double {
    switch self {
    case .sm80: 2048
    case .sm86: 512
    case .sm89, .sm120: 512
    case .sm90: 4096
    case .sm100: 8192
    }
  }

  /// Floating-point operations of a multiprocessor in float32.
  var float32FlopsPerCycle: Double { self == .sm80 ? 128 : 256 }

  /// Whether warp groups multiply matrices together (wgmma).
  package var multipliesInGroups: Bool { self == .sm90 }
}

/// What kernels for a GPU are chosen by.
package struct GPU: Hashable, Sendable {
  /// Its family.
  package var architecture: CUDAArchitecture
  /// Streaming multiprocessors.
  package var multiprocessors: Int
  /// Most bytes of shared memory of a block.
  package var sharedBytesPerBlock: Int
  /// By call, `sd.fused_conv(f16[2, 64, 64, 320], …) {…}`: cuts that were measured to be the fastest; others are predicted.
  package var cuts: [String: ConvCut] = [:]

  /// A GPU.
  package init(architecture: CUDAArchitecture, multiprocessors: Int, sharedBytesPerBlock: Int) {
    (self.architecture, self.multiprocessors) = (architecture, multiprocessors)
    self.sharedBytesPerBlock = sharedBytesPerBlock
  }

  /// A typical one of a family, for plans that are made without a GPU.
  package init(typical architecture: CUDAArchitecture) {
    self.init(architecture: architecture, multiprocessors: 128, sharedBytesPerBlock: 101_376)
  }
}

extension CUDAContext {
  /// What kernels for it are chosen by.
  ///
  /// - Throws: `SDError` (device) for a GPU that is too old or too new.
  package func gpu() throws(SDError) -> GPU {
    guard let architecture = CUDAArchitecture(computeCapability: computeCapability) else {
      throw SDError(
        .device,
        "\(name) (\(deviceName)) has compute capability \(computeCapability / 10).\(computeCapability % 10); there are "
          + "kernels for 8.0, 8.6, 8.9, 9.0, 10.x and 12.x", hint: "Use --device cpu.")
    }
    return GPU(
      architecture: architecture, multiprocessors: multiprocessors, sharedBytesPerBlock: sharedBytesPerBlock)
  }
}
