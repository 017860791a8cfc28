/// The largest element over some axes, which stay as dimensions of 1; NaN when one of them is NaN.
public struct Max: ReduceOp {
  /// `sd.max`.
  public static let id = OpID("max")
  /// The axes that are reduced.
  public var axes: [Int]

  /// The maximum over these axes.
  public init(axes: [Int]) { self.axes = axes }

  /// Minus infinity.
  public static let identity = -Double.infinity
  /// The larger one; NaN wins.
  public static func combine(_ sum: Double, _ x: Double) -> Double { sum >= x ? sum : (sum.isNaN ? sum : x) }
}

extension Value {
  /// The largest element over some axes, which stay as dimensions of 1.
  public func max(axes: [Int]) throws(SDError) -> Value { try applying(Max(axes: axes)) }
}
