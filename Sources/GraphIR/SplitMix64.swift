/// Random numbers that follow from a seed alone, on every machine.
///
/// - Reference: Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195.
package struct SplitMix64: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// The sequence of a seed.
  package init(seed: UInt64) { state = seed }

  /// The sequence of a name: of its 64-bit FNV-1a hash.
  package init(name: String) { state = name.utf8.fnv1a }

  /// The next 64 bits.
  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// A number uniform in 0 ..< 1, a multiple of 2⁻²⁴.
  package mutating func unit() -> Float { Float(Int32(truncatingIfNeeded: next() >> 40)) * 0x1p-24 }
}

extension Sequence<UInt8> {
  /// The 64-bit FNV-1a hash of these bytes (Fowler, Noll & Vo).
  package var fnv1a: UInt64 {
    reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }
}
