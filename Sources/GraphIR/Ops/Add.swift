/// x + y, element by element.
///
/// - x, y: floating-point, broadcast as NumPy does. Result: the broadcast shape, element type of x.
public struct Add: BinaryOp {
  /// `sd.add`.
  public static let id = OpID("add")

  /// The op; it has no attributes.
  public init() {}

  /// x + y.
  public static func apply(_ x: Float, _ y: Float) -> Float { x + y }
}

extension Value {
  /// self + other, element by element.
  public func adding(_ other: Value) throws(SDError) -> Value { try applying(Add(), other) }
}
