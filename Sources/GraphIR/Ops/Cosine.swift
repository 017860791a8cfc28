/// cos x, x in radians.
///
/// - x: any shape, floating-point. Result: type of x.
public struct Cosine: UnaryOp {
  /// `sd.cosine`.
  public static let id = OpID("cosine")

  /// The op; it has no attributes.
  public init() {}

  /// cos x, x in radians.
  public static func apply(_ x: Float) -> Float { Math.cos(x) }
}

extension Value {
  /// cos x, x in radians.
  public func cosine() throws(SDError) -> Value { try applying(Cosine()) }
}
