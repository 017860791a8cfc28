/// Float32 functions by the polynomials of the Cephes library, multiply-adds fused, as vectorised code
/// evaluates them: their last bits are part of PyTorch's random numbers.
enum Cephes {
  /// log x for normal x > 0.
  static func log(_ x: Float) -> Float {
    // x = mantissa·2^exponent, mantissa in √½ ..< √2.
    var mantissa = Float(bitPattern: x.bitPattern & 0x807F_FFFF | 0x3F00_0000)
    var exponent = Float(Int32(x.bitPattern >> 23) - 126)
    if mantissa < 0.707106781186547524 {
      exponent -= 1
      mantissa += mantissa - 1
    } else {
      mantissa -= 1
    }
    let square = mantissa * mantissa
    let polynomial: [Float] = [
      7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
      -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
    ]
    var y = horner(polynomial, mantissa) * mantissa
    y = (exponent * -2.12194440e-4).addingProduct(y, square)
    y = y.addingProduct(-square, 0.5)
    return (mantissa + y).addingProduct(exponent, 0.693359375)
  }

  /// sin x and cos x for 0 ≤ x below about 8192.
  static func sineAndCosine(_ x: Float) -> (sine: Float, cosine: Float) {
    // The octant, rounded up to even; x is reduced by it with π/4 in three parts.
    let octant = (Int32(x * 1.27323954473516) + 1) & ~1
    let turns = Float(octant)
    var angle = x.addingProduct(turns, -0.78515625)
    angle = angle.addingProduct(turns, -2.4187564849853515625e-4)
    angle = angle.addingProduct(turns, -3.77489497744594108e-8)
    let square = angle * angle

    var even = horner([2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2], square) * square
    even = (-(square * 0.5)).addingProduct(even, square) + 1
    var odd = horner([-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1], square) * square
    odd = angle.addingProduct(odd, angle)

    let swapped = octant & 2 != 0
    let sine = swapped ? even : odd
    let cosine = swapped ? odd : even
    return (octant & 4 != 0 ? -sine : sine, (octant - 2) & 4 == 0 ? -cosine : cosine)
  }

  /// A polynomial, highest coefficient first.
  private static func horner(_ coefficients: [Float], _ x: Float) -> Float {
    coefficients.dropFirst().reduce(coefficients[0]) { $1.addingProduct($0, x) }
  }
}
