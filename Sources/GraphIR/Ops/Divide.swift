/// x / y, element by element.
///
/// - x, y: floating-point, broadcast as NumPy does. Result: the broadcast shape, element type of x.
public struct Divide: BinaryOp {
  /// `sd.divide`.
  public static let id = OpID("divide")

  /// The op; it has no attributes.
  public init() {}

  /// x / y.
  public static func apply(_ x: Float, _ y: Float) -> Float { x / y }
}

extension Value {
  /// self / other, element by element.
  public func divided(by other: Value) throws(SDError) -> Value { try applying(Divide(), other) }
}
