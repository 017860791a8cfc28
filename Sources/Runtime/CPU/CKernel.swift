import CKernels
import GraphIR

/// Describes how a C kernel is called: which function of the table, how its arguments follow from the tensors, and
/// into how many parts with how much scratch its family cuts them.
struct CKernel<Arguments: BitwiseCopyable>: Sendable {
  let name: String
  let function: @Sendable (ck_kernels) -> CFunction
  var parts: @Sendable (UnsafePointer<Arguments>) -> Int
  var scratch: @Sendable (UnsafePointer<Arguments>) -> Int = { _ in 0 }

  typealias CFunction = @convention(c) (UnsafeRawPointer?, Int, Int, UnsafeMutableRawPointer?) -> Void

  /// The kernel for a node; `arguments` is called with placeholder addresses first, because parts and scratch follow
  /// from shapes alone, and with the real ones when the program is prepared.
  func kernel(
    _ node: KernelSignature, on cpu: CPU, denseOperands: Set<Int> = [], inPlaceOperands: Set<Int> = [],
    arguments: @escaping @Sendable (KernelTensors) -> Arguments
  ) -> CPUKernel {
    var shapes = arguments(node.placeholders)
    let count = parts(&shapes)
    let scratchBytes = scratch(&shapes)
    return CPUKernel(
      "\(name).\(cpu.level.rawValue)", parts: count, scratchBytes: scratchBytes, denseOperands: denseOperands,
      inPlaceOperands: inPlaceOperands, weightLayouts: [:]
    ) { tensors in
      let call = Call(arguments: arguments(tensors), function: function(cpu.kernels.pointee), parts: count)
      return { part, scratch in call.run(part, scratch) }
    }
  }
}

/// A C kernel's arguments at a fixed address.
private final class Call<Arguments: BitwiseCopyable>: @unchecked Sendable {
  let arguments: UnsafeMutablePointer<Arguments>
  let function: CKernel<Arguments>.CFunction
  let parts: Int

  init(arguments: Arguments, function: @escaping CKernel<Arguments>.CFunction, parts: Int) {
    self.arguments = .allocate(capacity: 1)
    self.arguments.initialize(to: arguments)
    self.function = function
    self.parts = parts
  }

  deinit { arguments.deallocate() }

  func run(_ part: Int, _ scratch: UnsafeMutableRawPointer) { function(arguments, part, parts, scratch) }
}

extension KernelSignature {
  /// Tensors of the right shapes at an address that is never used.
  var placeholders: KernelTensors {
    let base = placeholder.base
    let view = { (type: TensorType) in TensorView(base: base, type: type, pitch: type.lastDimension) }
    return KernelTensors(operands: operands.map(view), results: results.map(view))
  }

  /// Whether all operands and results are floating-point.
  var isFloat: Bool { (operands + results).allSatisfy { $0.dtype.isFloat } }
}

/// Stands for any address where only shapes matter.
private let placeholder = Placeholder()

private struct Placeholder: @unchecked Sendable {
  let base = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 64)
}
