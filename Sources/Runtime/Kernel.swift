public import GraphIR

/// What lowering knows of a node when it asks for a kernel.
public struct KernelSignature: Sendable {
  /// The operands' types.
  public let operands: [TensorType]
  /// The results' types.
  public let results: [TensorType]
  /// For every operand, whether it is a weight: constant, known when the plan is made.
  public let isWeight: [Bool]

  /// The signature of a node.
  package init(operands: [TensorType], results: [TensorType], isWeight: [Bool]) {
    (self.operands, self.results, self.isWeight) = (operands, results, isWeight)
  }

  /// The signature of an op that would read these values; nil where it takes others.
  init?(_ op: any Op, _ operands: [Value]) {
    let types = operands.map(\.type)
    guard let results = try? op.types(of: types) else { return nil }
    self.init(
      operands: types, results: results, isWeight: operands.map { $0.builder.graph[$0.id.node].op is Parameter })
  }

  /// The same operands with the first result only.
  var withOneResult: KernelSignature {
    KernelSignature(operands: operands, results: Array(results.prefix(1)), isWeight: isWeight)
  }

  /// The signature of a step of a program.
  init(_ step: Program.Step) {
    self.init(
      operands: step.operands.map(\.type), results: step.results.map(\.type),
      isWeight: step.operands.map { if case .weight = $0.place { true } else { false } })
  }
}

/// A kernel that a device offers for a node.
package protocol Kernel: Sendable {
  /// What profiles and `SD_DEBUG=4` call it.
  var name: String { get }
  /// The layouts in which it wants its weights; an operand that is not named here is wanted dense.
  var weightLayouts: [Int: WeightLayout] { get }
  /// Whether operands may be views with a row pitch; lowering copies them otherwise.
  var acceptsPitch: Bool { get }
  /// Operands that must be dense all the same.
  var denseOperands: Set<Int> { get }
  /// Operands over which the first result may be written where it has their type: no element of any result depends on
  /// an element of theirs but the same one of the first result, and it is written after it is read.
  var inPlaceOperands: Set<Int> { get }
  /// Bytes that every running thread needs for itself.
  var scratchBytes: Int { get }
}

extension Kernel {
  /// None.
  package var inPlaceOperands: Set<Int> { [] }
}

/// The kernels of a device.
package protocol KernelLibrary: Sendable {
  /// A kernel for a node, or nil: then the op's decomposition is lowered.
  func kernel(for op: any Op, _ signature: KernelSignature) -> (any Kernel)?
}
