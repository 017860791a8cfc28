/// The error function, 2/√π ∫₀ˣ exp(−t²) dt.
///
/// - x: any shape, floating-point. Result: type of x.
public struct Erf: UnaryOp {
  /// `sd.erf`.
  public static let id = OpID("erf")

  /// The op; it has no attributes.
  public init() {}

  /// The error function, 2/√π ∫₀ˣ exp(−t²) dt.
  public static func apply(_ x: Float) -> Float { Math.erf(x) }
}

extension Value {
  /// The error function, 2/√π ∫₀ˣ exp(−t²) dt.
  public func erf() throws(SDError) -> Value { try applying(Erf()) }
}
