import Glibc

/// PyTorch's random numbers on the CPU, bit for bit: `torch.Generator().manual_seed(seed)` and
/// `torch.randn(count, generator=…)` in Float32.
///
/// The engine is the Mersenne Twister MT19937 (Matsumoto and Nishimura, 1998). Fewer than 16 numbers come
/// from a scalar Box–Muller transform in Float64, more from a vectorised one in Float32 whose logarithm,
/// sine and cosine are Cephes' polynomials with fused multiply-adds. That is what PyTorch does on x86-64
/// with AVX2 and above; without AVX2 PyTorch's own numbers differ by up to 2e-6.
public struct TorchGenerator: Sendable {
  private var engine: MersenneTwister
  /// The second number of the last scalar pair; it waits through vectorised draws.
  private var spare: Double?

  /// A generator in the state after `manual_seed(seed)`; only the low 32 bits of the seed count.
  public init(seed: UInt64) {
    engine = MersenneTwister(seed: UInt32(truncatingIfNeeded: seed))
  }

  /// The next `count` numbers from N(0, 1).
  public mutating func randn(_ count: Int) -> [Float] {
    guard count >= 16 else { return (0..<max(count, 0)).map { _ in Float(scalar()) } }
    var values = (0..<count).map { _ in uniform() }
    for start in stride(from: 0, through: count - 16, by: 16) { Self.transform(&values, start) }
    if !count.isMultiple(of: 16) {
      // The last 16 are drawn once more, which overwrites some that are already normal.
      for index in (count - 16)..<count { values[index] = uniform() }
      Self.transform(&values, count - 16)
    }
    return values
  }

  /// 24 bits of one draw, in [0, 1).
  private mutating func uniform() -> Float {
    Float(engine.next() & 0xFF_FFFF) * 0x1p-24
  }

  /// 53 bits of two draws, in [0, 1).
  private mutating func uniform64() -> Double {
    let high = UInt64(engine.next())
    let low = UInt64(engine.next())
    return Double((high << 32 | low) & 0x1F_FFFF_FFFF_FFFF) * 0x1p-53
  }

  private mutating func scalar() -> Double {
    if let value = spare {
      spare = nil
      return value
    }
    let angle = 2 * Double.pi * uniform64()
    let radius = (-2 * log1p(-uniform64())).squareRoot()
    spare = radius * sin(angle)
    return radius * cos(angle)
  }

  /// Box–Muller on 16 uniform numbers: the first eight give the radii, the last eight the angles.
  private static func transform(_ values: inout [Float], _ start: Int) {
    for index in start..<(start + 8) {
      let radius = (-2 * Cephes.log(1 - values[index])).squareRoot()
      let (sine, cosine) = Cephes.sineAndCosine(Float(2 * Double.pi) * values[index + 8])
      // The reference multiplies by the deviation and adds the mean, which makes -0 to 0.
      values[index] = radius * cosine + 0
      values[index + 8] = radius * sine + 0
    }
  }
}
