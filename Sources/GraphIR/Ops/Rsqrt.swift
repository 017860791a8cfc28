/// 1 / √x.
///
/// - x: any shape, floating-point. Result: type of x.
public struct Rsqrt: UnaryOp {
  /// `sd.rsqrt`.
  public static let id = OpID("rsqrt")

  /// The op; it has no attributes.
  public init() {}

  /// 1 / √x.
  public static func apply(_ x: Float) -> Float { 1 / x.squareRoot() }
}

extension Value {
  /// 1 / √x.
  public func rsqrt() throws(SDError) -> Value { try applying(Rsqrt()) }
}
