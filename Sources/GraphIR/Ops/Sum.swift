/// The sum over some axes, which stay as dimensions of 1.
public struct Sum: ReduceOp {
  /// `sd.sum`.
  public static let id = OpID("sum")
  /// The axes that are summed.
  public var axes: [Int]

  /// The sum over these axes.
  public init(axes: [Int]) { self.axes = axes }

  /// Zero.
  public static let identity = 0.0
  /// Adds one more element.
  public static func combine(_ sum: Double, _ x: Double) -> Double { sum + x }
}

extension Value {
  /// The sum over some axes, which stay as dimensions of 1.
  public func sum(axes: [Int]) throws(SDError) -> Value { try applying(Sum(axes: axes)) }

  /// The mean over some axes, which stay as dimensions of 1.
  public func mean(axes: [Int]) throws(SDError) -> Value {
    let count = axes.reduce(1) { $0 * (shape.indices.contains($1) ? shape[$1] : 1) }
    return try sum(axes: axes).divided(by: builder.constant([], [Float(count)]))
  }
}
