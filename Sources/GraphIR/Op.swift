/// Names an operation across files and versions: `sd.conv2d`, version 1.
///
/// The project's own domain is `sd`; an operation from outside takes a domain with a dot in it (`lab.example`).
public struct OpID: Hashable, Sendable, CustomStringConvertible {
  /// Who defines the operation.
  public var domain: String
  /// What it is called there.
  public var name: String
  /// Raised when the meaning changes; old versions keep their meaning.
  public var version: Int

  /// An identity from its three parts.
  public init(_ domain: String, _ name: String, version: Int) {
    self.domain = domain
    self.name = name
    self.version = version
  }

  /// One of the project's own operations.
  init(_ name: String, version: Int = 1) {
    self.init("sd", name, version: version)
  }

  /// `sd.conv2d`, and `lab.example.swiglu@2` from version 2 on.
  public var description: String {
    version == 1 ? "\(domain).\(name)" : "\(domain).\(name)@\(version)"
  }
}

/// An operation: a value whose stored properties are its attributes.
///
/// An op is one file: attributes, type rule, meaning, and the `Value` method that puts it into a graph. The
/// meaning is given once, by conforming to `PrimitiveOp` or to `CompositeOp`.
public protocol Op: Hashable, Codable, Sendable {
  /// The name under which graphs store the operation.
  static var id: OpID { get }

  /// The type rule: result types from operand types. It must not look at data.
  ///
  /// - Throws: `SDError` made by `reject` when the operands break one of the op's constraints.
  func types(of operands: [TensorType]) throws(SDError) -> [TensorType]

  /// Floating-point operations of one evaluation (a multiply-add counts two); zero where it does not matter.
  func flops(operands: [TensorType], results: [TensorType]) -> Int

  /// Whether row i of every result depends on row i of operand 0 only (and on all of the other operands).
  /// Such an op commutes with the selection of a row.
  var isRowwise: Bool { get }
}

/// An operation whose meaning is a slow, plain evaluation in Float32.
public protocol PrimitiveOp: Op {
  /// The results for these operands. Called only with operands that the type rule accepts.
  func evaluate(_ operands: [Tensor]) throws(SDError) -> [Tensor]
}

/// An operation whose meaning is a composition of other operations; every fused operation is one.
public protocol CompositeOp: Op {
  /// Builds the same computation out of other operations. Floating-point operands are float32.
  func decompose(_ operands: [Value]) throws(SDError) -> [Value]
}

/// An operation that can be done in steps without leaving the types in which its operands are stored: what a device
/// that has no kernel for it tries before the decomposition.
package protocol FusedOp: CompositeOp {
  /// Builds the same computation in more than one op; nil where it is one step already.
  ///
  /// - Parameter hasKernel: whether the device has a kernel for an op that takes values of these types.
  func split(_ operands: [Value], hasKernel: (any Op, [Value]) -> Bool) throws(SDError) -> [Value]?

  /// How many matrix products or convolutions it is; a sum of several counts as one.
  var products: Int { get }
}

extension FusedOp {
  /// One.
  package var products: Int { 1 }
}

/// The product of factors ≥ 0; `Int.max` when it is larger. Types are checked, the FLOPs of an absurd graph are not.
package func saturatingProduct(_ factors: Int...) -> Int {
  factors.reduce(1) { product, factor in
    let (value, overflow) = product.multipliedReportingOverflow(by: factor)
    return overflow ? .max : value
  }
}

/// The sum of terms ≥ 0; `Int.max` when it is larger.
package func saturatingSum(_ a: Int, _ b: Int) -> Int {
  let (value, overflow) = a.addingReportingOverflow(b)
  return overflow ? .max : value
}

extension Op {
  /// Zero.
  public func flops(operands: [TensorType], results: [TensorType]) -> Int { 0 }

  /// False.
  public var isRowwise: Bool { false }

  /// The error for operands that break a constraint of the op's type rule.
  public func reject(_ message: String, hint: String? = nil) -> SDError {
    SDError(.invalid, "[\(Self.id)] \(message)", hint: hint)
  }

  /// Checks the number of operands.
  ///
  /// - Throws: `SDError` when it differs.
  public func expect(_ operands: [TensorType], count: Int) throws(SDError) {
    guard operands.count == count else {
      throw reject("takes \(count) operand\(count == 1 ? "" : "s"), it has \(operands.count)")
    }
  }

  /// Checks that operand `index` is a floating-point tensor of one of the ranks.
  ///
  /// - Throws: `SDError` when it is not.
  public func expectFloat(
    _ operands: [TensorType], _ index: Int, rank: ClosedRange<Int> = 0...8
  ) throws(SDError) -> TensorType {
    let type = operands[index]
    guard type.dtype.isFloat else {
      throw reject("operand \(index) must be floating-point, it is \(type)")
    }
    guard rank.contains(type.rank) else {
      let wanted =
        rank.lowerBound == rank.upperBound ? "\(rank.lowerBound)" : "\(rank.lowerBound) to \(rank.upperBound)"
      throw reject("operand \(index) must have rank \(wanted), it is \(type)")
    }
    return type
  }
}
