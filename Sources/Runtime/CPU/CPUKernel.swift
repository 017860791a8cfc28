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
/// The work is cut into `parts` that write disjoint elements and may run in any order on any thread. No sum is cut: so the
/// result is the same bits for any number of threads, and however the work was cut.
public struct CPUKernel: Kernel {
  /// Computes part `part` with this thread's own `scratch` memory (64-byte aligned, `scratchBytes` long).
  public typealias Body = @Sendable (_ part: Int, _ scratch: UnsafeMutableRawPointer) -> Void

  /// What profiles and `SD_DEBUG=4` call it.
  public let name: String
  /// Number of parts.
  public let parts: Int
  /// Bytes that every running thread needs for itself.
  public let scratchBytes: Int
  /// Whether operands may have gaps between their rows (`TensorView.pitch`).
  public let acceptsPitch: Bool
  package let denseOperands: Set<Int>
  package let inPlaceOperands: Set<Int>
  package let weightLayouts: [Int: WeightLayout]
  package let bind: @Sendable (KernelTensors) throws(SDError) -> Body

  /// A kernel whose body is a Swift closure; for ops from outside, too.
  ///
  /// - Parameters:
  ///   - inPlaceOperands: operands over which the first result may be written where it has their type: no element of any
  ///     result depends on an element of theirs but the same one of the first result, and it is written after it is read.
  ///   - bind: called once with the addresses; returns what computes one part.
  public init(
    _ name: String, parts: Int, scratchBytes: Int = 0, acceptsPitch: Bool = false,
    inPlaceOperands: Set<Int> = [], bind: @escaping @Sendable (KernelTensors) throws(SDError) -> Body
  ) {
    self.init(
      name, parts: parts, scratchBytes: scratchBytes, acceptsPitch: acceptsPitch,
      inPlaceOperands: inPlaceOperands, weightLayouts: [:], bind: bind)
  }

  init(
    _ name: String, parts: Int, scratchBytes: Int = 0, acceptsPitch: Bool = true, denseOperands: Set<Int> = [],
    inPlaceOperands: Set<Int> = [], weightLayouts: [Int: WeightLayout],
    bind: @escaping @Sendable (KernelTensors) throws(SDError) -> Body
  ) {
    self.name = name
    self.parts = parts
    self.scratchBytes = scratchBytes
    self.acceptsPitch = acceptsPitch
    self.denseOperands = denseOperands
    self.inPlaceOperands = inPlaceOperands
    self.weightLayouts = weightLayouts
    self.bind = bind
  }
}

/// An op that has a CPU kernel. Conform an op to it in a file of its own; without it the op runs its decomposition,
/// a primitive its meaning.
public protocol CPULowerable: Op {
  /// A kernel for these types, or nil when there is none for them.
  func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel?
}

/// The processor that kernels are chosen for.
public struct CPU: Hashable, @unchecked Sendable {
  /// Instruction sets that kernels are compiled for, in rising order.
  public enum Level: String, Sendable, CaseIterable, Comparable {
    /// Plain C; the oracle of the others.
    case generic
    /// AVX2, FMA and F16C.
    case avx2
    /// AVX-512 F, BW, VL and DQ, and BF16 where the processor has it and VBMI.
    case avx512
    /// AMX-BF16 tiles beside AVX-512.
    case amx
  }

  /// The instruction set in use.
  public let level: Level
  /// Whether kernels may multiply pairs of bfloat16 with the processor's own instructions.
  public let multipliesBF16: Bool
  /// Threads that share the parts of a convolution.
  package var threads = 1
  /// How convolutions were found to run fastest, by call; others are cut by a prediction.
  package var blockings: [String: Blocking] = [:]
  /// The kernels; constant.
  let kernels: UnsafePointer<ck_kernels>

  /// The highest level of this processor.
  public static let best = CPU(unchecked: Level.allCases.last { $0.isa == ck_detect() } ?? .generic)

  /// All levels of this processor, and AVX-512 without BF16: what kernels are to be checked on.
  public static var all: [CPU] {
    let levels = Level.allCases.filter { $0.isa.rawValue <= ck_detect().rawValue }.map { CPU(unchecked: $0) }
    let plain = levels.filter { $0.level == .avx512 && $0.multipliesBF16 }
    return levels + plain.map { CPU(level: $0.level, multipliesBF16: false) }
  }

  /// A level that this processor has.
  ///
  /// - Throws: `SDError` (usage) when it does not have it.
  public init(_ level: Level) throws(SDError) {
    guard level.isa.rawValue <= ck_detect().rawValue else {
      throw SDError(.usage, "this processor does not have \(level.rawValue); it has \(CPU.best.level.rawValue)")
    }
    self.init(unchecked: level)
  }

  private init(unchecked level: Level) {
    self.init(level: level, multipliesBF16: level >= .avx512 && ck_has_bf16() != 0)
  }

  private init(level: Level, multipliesBF16: Bool) {
    self.init(
      level: level, multipliesBF16: multipliesBF16, kernels: ck_kernels(level.isa, multipliesBF16 ? 1 : 0))
  }

  private init(level: Level, multipliesBF16: Bool, kernels: UnsafePointer<ck_kernels>) {
    (self.level, self.multipliesBF16, self.kernels) = (level, multipliesBF16, kernels)
  }

  /// A processor with all features of a level and a table of kernels (`struct ck_kernels`, constant) of the caller's.
  package init(_ level: Level, table: UnsafeRawPointer) {
    self.init(
      level: level, multipliesBF16: level >= .avx512, kernels: table.assumingMemoryBound(to: ck_kernels.self))
  }

  /// FLOP/s of one thread in a loop of independent multiply-adds in registers, measured for `seconds`: in float32,
  /// or of bfloat16 pairs where `multipliesBF16`.
  public func measuredPeak(_ dtype: DType, seconds: Double) -> Double {
    dtype == .bf16 && multipliesBF16
      ? ck_peak_flops_bf16(level.isa, seconds) : ck_peak_flops_f32(level.isa, seconds)
  }
}

extension CPU.Level {
  /// Whether a level is a part of the other.
  public static func < (a: CPU.Level, b: CPU.Level) -> Bool { a.isa.rawValue < b.isa.rawValue }

  var isa: ck_isa {
    switch self {
    case .generic: CK_GENERIC
    case .avx2: CK_AVX2
    case .avx512: CK_AVX512
    case .amx: CK_AMX
    }
  }
}
