/// 1 / (1 + e⁻ˣ).
///
/// - x: any shape, floating-point. Result: type of x.
public struct Sigmoid: UnaryOp {
  /// `sd.sigmoid`.
  public static let id = OpID("sigmoid")

  /// The op; it has no attributes.
  public init() {}

  /// 1 / (1 + e⁻ˣ).
  public static func apply(_ x: Float) -> Float { 1 / (1 + Math.exp(-x)) }
}

extension Value {
  /// 1 / (1 + e⁻ˣ).
  public func sigmoid() throws(SDError) -> Value { try applying(Sigmoid()) }
}
