/// sin x, x in radians.
///
/// - x: any shape, floating-point. Result: type of x.
public struct Sine: UnaryOp {
  /// `sd.sine`.
  public static let id = OpID("sine")

  /// The op; it has no attributes.
  public init() {}

  /// sin x, x in radians.
  public static func apply(_ x: Float) -> Float { Math.sin(x) }
}

extension Value {
  /// sin x, x in radians.
  public func sine() throws(SDError) -> Value { try applying(Sine()) }
}
