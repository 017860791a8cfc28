import CKernels
public import GraphIR

/// The tensors of one kernel call.
public struct KernelTensors: Sendable {
  /// What it reads, in the order of the op's operands.
  public let operands: [TensorView]
  /// What it writes.
  public let results: [TensorView]
}

/// A CPU kernel for one node, made from its types; the addresses come later.
///
/// The work is cut into `parts` that write disjoint elements and may run in any order on any thread. The number of
/// parts follows from shapes alone, never from the number of threads, and no sum is cut: so the result is the same
/// bits for any number of threads.
public struct CPUKernel: Kernel {
  /// Computes part `part` with this thread's own `scratch` memory (64-byte aligned, `scratchBytes` long).
  public typealias Body = @Sendable (_ part: Int, _ scratch: UnsafeMutableRawPointer) -> Void

  /// What profiles and `--inspect` call it.
  public let name: String
  /// Number of parts.
  public let parts: Int
  /// Bytes that every running thread needs for itself.
  public let scratchBytes: Int
  /// Whether operands may have gaps between their rows (`TensorView.pitch`).
  public let acceptsPitch: Bool
  package let denseOperands: Set<Int>
  package let weightLayouts: [Int: WeightLayout]
  package let bind: @Sendable (KernelTensors) throws(SDError) -> Body

  /// A kernel whose body is a Swift closure; for ops from outside, too.
  ///
  /// - Parameters:
  ///   - bind: called once with the addresses; returns what computes one part.
  public init(
    _ name: String, parts: Int, scratchBytes: Int = 0, acceptsPitch: Bool = false,
    bind: @escaping @Sendable (KernelTensors) throws(SDError) -> Body
  ) {
    self.init(
      name, parts: parts, scratchBytes: scratchBytes, acceptsPitch: acceptsPitch, weightLayouts: [:], bind: bind)
  }

  init(
    _ name: String, parts: Int, scratchBytes: Int = 0, acceptsPitch: Bool = true, denseOperands: Set<Int> = [],
    weightLayouts: [Int: WeightLayout], bind: @escaping @Sendable (KernelTensors) throws(SDError) -> Body
  ) {
    self.name = name
    self.parts = parts
    self.scratchBytes = scratchBytes
    self.acceptsPitch = acceptsPitch
    self.denseOperands = denseOperands
    self.weightLayouts = weightLayouts
    self.bind = bind
  }
}

/// An op that has a CPU kernel. Conform an op to it in a file of its own; without it the op runs its decomposition.
public protocol CPULowerable: Op {
  /// A kernel for these types, or nil when there is none for them.
  func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel?
}

/// The processor that kernels are chosen for.
public struct CPU: Hashable, Sendable {
  /// Instruction sets that kernels are compiled for, in rising order.
  public enum Level: String, Sendable, CaseIterable {
    /// Plain C; the oracle of the others.
    case generic
    /// AVX2, FMA and F16C.
    case avx2
    /// AVX-512 F, BW, VL and DQ.
    case avx512
  }

  /// The instruction set in use.
  public let level: Level

  /// The highest level of this processor.
  public static var best: CPU { CPU(level: Level.allCases.last { $0.isa == ck_detect() } ?? .generic) }

  /// A level that this processor has.
  ///
  /// - Throws: `SDError` (usage) when it does not have it.
  public init(_ level: Level) throws(SDError) {
    guard level.isa.rawValue <= ck_detect().rawValue else {
      throw SDError(.usage, "this processor does not have \(level.rawValue); it has \(CPU.best.level.rawValue)")
    }
    self.level = level
  }

  private init(level: Level) { self.level = level }

  /// Whether this processor multiplies bfloat16 itself.
  public static var multipliesBF16: Bool { ck_has_bf16() != 0 }

  /// FLOP/s of one thread in a loop of independent float32 multiply-adds, measured for `seconds`.
  public func measuredPeak(seconds: Double) -> Double { ck_peak_flops_f32(level.isa, seconds) }

  var kernels: UnsafePointer<ck_kernels> { ck_kernels(level.isa) }
}

extension CPU.Level {
  var isa: ck_isa {
    switch self {
    case .generic: CK_GENERIC
    case .avx2: CK_AVX2
    case .avx512: CK_AVX512
    }
  }
}
