public import GraphIR

/// Proves that an operation's type rule, meaning, text form and CPU kernels say the same.
///
///     let report = try OpCheck(FiLM()).run { size, dtype in
///       [TensorType(dtype, [2, 5, size]), TensorType(dtype, [size]), TensorType(dtype, [size])]
///     }
///
/// For every case, that is for every list of operand types:
///
/// - the type rule gives the types that the meaning produces, and `evaluate` and `decompose` agree where an op has both;
/// - the op survives being printed and parsed; an op from outside also runs through its stored decomposition;
/// - an op that says so works row by row (`Op.isRowwise`);
/// - on every instruction set the kernel computes what the meaning computes. Its parts together write every element
///   once and nothing else, whatever their order, the number of threads and the contents of scratch memory, to the
///   same bits. A kernel that accepts views reads views, a NaN does not vanish in it, and operands keep their values.
public struct OpCheck: Sendable {
  /// The operation.
  public let op: any Op
  /// The operands that are weights, known when a plan is made: kernels may want them in a layout of their own.
  public var weights: Set<Int>
  /// The values of an operand, drawn uniformly; −1 … 1 unless told otherwise, and 0 for integers.
  public var ranges: [Int: ClosedRange<Float>] = [:]
  /// What `run(_:)` is called with: sizes around the widths of vectors and register tiles.
  public var sizes = [1, 7, 15, 16, 17, 31, 33, 77]
  /// What `run(_:)` is called with.
  public var dtypes: [DType] = [.f32, .f16, .bf16]
  /// Numbers of threads that must give the same bits.
  public var threads = [1, 2, 3, 7]
  /// The processors to check: every instruction set that this one has.
  public var processors = CPU.all
  /// By element type of a result, the greatest normalized mean squared error ‖kernel − meaning‖² / ‖meaning‖².
  public var tolerance: [DType: Double]

  /// A check of an op with the tolerances of the project; those of ops on single elements are narrower.
  public init(_ op: any Op, weights: Set<Int> = []) {
    (self.op, self.weights) = (op, weights)
    let isElementwise = op is any UnaryOp || op is any BinaryOp
    tolerance = [.f32: isElementwise ? 1e-12 : 1e-10, .f16: 1e-6, .bf16: 2e-5]
  }

  /// What was checked.
  public struct Report: Sendable, CustomStringConvertible {
    /// The op's name.
    public let op: String
    /// Number of operand lists.
    public internal(set) var cases = 0
    /// The names of the kernels that ran; the library's own end in their instruction set.
    public internal(set) var kernels: Set<String> = []
    /// The largest error of a kernel by element type of the result, normalized as in `OpCheck.tolerance`.
    public internal(set) var errors: [DType: Double] = [:]

    mutating func note(_ error: Double, _ dtype: DType) { errors[dtype] = max(error, errors[dtype] ?? 0) }

    /// `lab.film: 24 cases; kernels film; largest error 0.0 in f32`.
    public var description: String {
      let errors = errors.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($1) in \($0.rawValue)" }
      let ran = kernels.isEmpty ? "no kernel" : "kernels " + kernels.sorted().joined(separator: ", ")
      return "\(op): \(cases) case\(cases == 1 ? "" : "s"); \(ran)"
        + (errors.isEmpty ? "" : "; largest error " + errors.joined(separator: ", "))
    }
  }

  /// Checks one case for every size and element type.
  ///
  /// - Parameter operands: makes the operands' types.
  /// - Throws: `SDError` as `run(operands:)`.
  @discardableResult
  public func run(_ operands: (_ size: Int, _ dtype: DType) -> [TensorType]) throws(SDError) -> Report {
    var report = Report(op: "\(type(of: op).id)")
    for dtype in dtypes {
      for size in sizes { try check(operands(size, dtype), &report) }
    }
    return report
  }

  /// Checks one case.
  ///
  /// - Throws: `SDError` with the op, the operands' types, the kernel, and the worst or first wrong element:
  ///   `.invalid` when the op contradicts itself, `.numerics` when a kernel computes something else, `.device` when
  ///   it touches what it must not, `.incompatible` when an op with kernels has none for these types.
  @discardableResult
  public func run(operands: [TensorType]) throws(SDError) -> Report {
    var report = Report(op: "\(type(of: op).id)")
    try check(operands, &report)
    return report
  }

  private func check(_ types: [TensorType], _ report: inout Report) throws(SDError) {
    let meaning = try Meaning(self, types)
    try meaning.check()
    report.cases += 1
    guard op is any CPULowerable else { return }
    let poisoned = try meaning.poisoned(except: weights)
    for cpu in processors { try checkKernel(meaning, poisoned, on: cpu, &report) }
  }
}
