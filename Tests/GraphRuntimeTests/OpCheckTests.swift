import GraphIR
import GraphRuntime
import TestSupport
import Testing

/// Every rule of the check is broken once.
@Suite struct OpCheckTests {
  /// y = x with a kernel that may do something wrong; a part is a row.
  struct Copy: PrimitiveOp, CPULowerable {
    static let id = OpID("lab.check", "copy", version: 1)

    enum Fault: String, Codable {
      case none, wrongValue, leavesColumn, writesTwice, writesBehind, writesScratch, changesOperand
      case readsScratch, ignoresPitch, dropsNaN, spreadsNaN, readsLate, declines
    }
    var fault = Fault.none

    func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
      try expect(operands, count: 1)
      return [try expectFloat(operands, 0)]
    }
    func evaluate(_ operands: [Tensor]) throws(SDError) -> [Tensor] { operands }

    func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel? {
      if fault == .declines { return nil }
      let rows = node.results[0].rows
      return CPUKernel("copy", parts: rows, scratchBytes: 4, acceptsPitch: true, inPlaceOperands: [0]) { tensors in
        let (x, y) = (tensors.operands[0], tensors.results[0])
        return { row, scratch in
          for column in 0..<x.columns { y[row, column] = x[row, column] }
          let first = scratch.load(as: UInt32.self) == .max
          scratch.storeBytes(of: 0, as: UInt32.self)
          switch fault {
          case .none, .declines: break
          case .wrongValue: y[row, 0] = x[row, 0] + 0.5
          case .leavesColumn:
            (y.row(row) + (x.columns - 1) * y.type.dtype.size).copyMemory(
              from: untouched, byteCount: y.type.dtype.size)
          case .writesTwice: y[0, 0] = x[0, 0]
          case .writesBehind: y[rows - 1, x.columns] = 0
          case .writesScratch: scratch.storeBytes(of: 0, toByteOffset: 4, as: UInt8.self)
          case .changesOperand: x[row, 0] = 2
          case .readsLate:
            y[row, 0] = 0
            y[row, 0] = x[row, 0]
          case .readsScratch: if !first { y[row, 0] = x[row, 0].nextUp }
          case .ignoresPitch: for i in 0..<x.columns { y[row, i] = x[0, row * x.columns + i] }
          case .dropsNaN: for i in 0..<x.columns where x[row, i].isNaN { y[row, i] = 0 }
          case .spreadsNaN:
            if (0..<x.columns).contains(where: { x[row, $0].isNaN }) { y[row, x.columns - 1] = .nan }
          }
        }
      }
    }
    /// What results hold before they are written.
    private var untouched: [UInt8] { [0xFB, 0xFB, 0xFB, 0xFB] }
  }

  @Test func soundOp() throws {
    let report = try OpCheck(Copy()).run { size, dtype in [TensorType(dtype, [3, size])] }
    #expect(report.cases == 24)
    #expect(report.kernels == ["copy"])
    #expect(report.errors == [.f32: 0, .f16: 0, .bf16: 0])
    #expect(
      "\(report)"
        == "lab.check.copy: 24 cases; kernels copy; largest error 0.0 in bf16, 0.0 in f16, 0.0 in f32")
  }

  private func expectFault(
    _ code: SDError.Code, _ fault: Copy.Fault, _ message: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    expectError(code, "[lab.check.copy] (f32[2, 3]): \(message)", sourceLocation: sourceLocation) {
      var check = OpCheck(Copy(fault: fault))
      check.ranges[0] = 0.25...0.25
      return try check.run(operands: [TensorType(.f32, [2, 3])])
    }
  }

  @Test func kernelFaults() {
    let kernel = "kernel 'copy' on generic"
    expectFault(
      .numerics, .wrongValue,
      "\(kernel): NMSE 1.3333333333333333 of result 0 exceeds 1e-10; worst at [0, 0]: 0.75, expected 0.25")
    expectFault(.device, .leavesColumn, "\(kernel): no part writes result 0 at [0, 2]")
    expectFault(.device, .writesTwice, "\(kernel): parts 1 and 0 both write result 0 at [0, 0]")
    expectFault(.device, .writesBehind, "\(kernel): part 1 writes outside of result 0")
    expectFault(.device, .writesScratch, "\(kernel): part 1 writes outside of the 4 bytes of scratch memory")
    expectFault(.device, .changesOperand, "\(kernel): part 1 changes operand 0")
    expectFault(
      .numerics, .readsScratch,
      "\(kernel): result 0 at [1, 0] is 0.25000003 on 1 thread, 0.25 when its part runs alone")
    expectFault(
      .numerics, .readsLate, "\(kernel): result 0 at [0, 0] is 0.0 written over operand 0, 0.25 elsewhere")
    expectFault(.numerics, .dropsNaN, "\(kernel): a NaN in operand 0 vanishes from result 0")
    expectFault(
      .numerics, .spreadsNaN,
      "\(kernel): a NaN in operand 0 reaches result 0 at [1, 2], in the meaning it does not")
    expectFault(
      .numerics, .ignoresPitch,
      "\(kernel), reading views: NMSE inf of result 0 exceeds 1e-10; worst at [1, 0]: NaN, expected 0.25")
  }

  @Test func missingKernel() {
    expectError(
      .incompatible, "[lab.check.copy] (f32[2, 3]): has no kernel for these types on generic",
      hint: "Leave out the types that have none, and name the operands that are weights."
    ) { try OpCheck(Copy(fault: .declines)).run(operands: [TensorType(.f32, [2, 3])]) }
  }

  // MARK: Ops that contradict themselves

  /// The meaning drops a dimension.
  struct Flat: PrimitiveOp {
    static let id = OpID("lab.check", "flat", version: 1)
    func types(of operands: [TensorType]) throws(SDError) -> [TensorType] { operands }
    func evaluate(_ operands: [Tensor]) throws(SDError) -> [Tensor] {
      [Tensor([operands[0].values.count], operands[0].values)]
    }
  }

  /// Evaluates 2x and decomposes into x + x + x.
  struct Double: PrimitiveOp, CompositeOp {
    static let id = OpID("lab.check", "double", version: 1)
    func types(of operands: [TensorType]) throws(SDError) -> [TensorType] { operands }
    func evaluate(_ operands: [Tensor]) throws(SDError) -> [Tensor] {
      [Tensor(operands[0].shape, operands[0].values.map { 2 * $0 })]
    }
    func decompose(_ operands: [Value]) throws(SDError) -> [Value] {
      [try operands[0].adding(operands[0]).adding(operands[0])]
    }
  }

  /// Says that it is row-wise, and subtracts the mean of all rows.
  struct Centered: CompositeOp {
    static let id = OpID("lab.check", "centered", version: 1)
    var isRowwise: Bool { true }
    func types(of operands: [TensorType]) throws(SDError) -> [TensorType] { operands }
    func decompose(_ operands: [Value]) throws(SDError) -> [Value] {
      [try operands[0].subtracting(operands[0].mean(axes: [0]))]
    }
  }

  /// Forgets its attribute.
  struct Forgetful: UnaryOp {
    static let id = OpID("lab.check", "forgetful", version: 1)
    var scale: Float = 1
    init() {}
    init(from decoder: any Decoder) throws { scale = 1 }
    static func apply(_ x: Float) -> Float { x }
  }

  /// Takes the name of another op.
  struct Impostor: UnaryOp {
    static let id = OpID("sd", "exp", version: 1)
    static func apply(_ x: Float) -> Float { x }
  }

  @Test func contradictions() {
    let types = [TensorType(.f32, [2, 1])]
    expectError(
      .invalid, "[lab.check.flat] (f32[2, 1]): the meaning has shape [2], the type rule gives [2, 1]"
    ) { try OpCheck(Flat()).run(operands: types) }
    expectError(
      .invalid,
      "[lab.check.centered] (f32[2, 1]): says that it is row-wise, but row 1 of result 0 depends on other rows"
    ) { try OpCheck(Centered()).run(operands: types) }
    expectError(
      .usage, "operation 'sd.exp' is defined twice: by Exp and by Impostor"
    ) { try OpCheck(Impostor()).run(operands: types) }
    expectError(
      .invalid,
      "[lab.check.double] (f32[2, 1]): its stored decomposition differs: NMSE 0.25 of result 0 exceeds 1e-10; worst at "
        + "[0, 0]: 1.5, expected 1.0"
    ) {
      var check = OpCheck(Double())
      check.ranges[0] = 0.5...0.5
      return try check.run(operands: types)
    }
  }

  @Test func forgottenAttribute() throws {
    var op = Forgetful()
    op.scale = 2
    let types = [TensorType(.f32, [2])]
    try OpCheck(Forgetful()).run(operands: types)
    do {
      try OpCheck(op).run(operands: types)
      Issue.record("not found")
    } catch {
      #expect(
        error.message.hasPrefix(
          "[lab.check.forgetful] (f32[2]): differs after it was printed and parsed:\ngraph"))
    }
  }

  /// The type rule's own sentence.
  @Test func wrongOperands() {
    expectError(.invalid, "[lab.check.copy] takes 1 operand, it has 2") {
      try OpCheck(Copy()).run(operands: [TensorType(.f32, [2]), TensorType(.f32, [2])])
    }
  }
}
