/// e to the power x.
///
/// - x: any shape, floating-point. Result: type of x.
public struct Exp: UnaryOp {
  /// `sd.exp`.
  public static let id = OpID("exp")

  /// The op; it has no attributes.
  public init() {}

  /// e to the power x.
  public static func apply(_ x: Float) -> Float { Math.exp(x) }
}

extension Value {
  /// e to the power x.
  public func exp() throws(SDError) -> Value { try applying(Exp()) }
}
