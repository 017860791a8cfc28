/// MT19937 (Matsumoto and Nishimura, 1998): 32 bits a draw, period 2¹⁹⁹³⁷ − 1.
struct MersenneTwister {
  private static let length = 624
  private static let middle = 397
  private var state: [UInt32]
  private var position = Self.length

  /// The state that the reference implementation's `init_genrand` makes of a seed.
  init(seed: UInt32) {
    state = [seed]
    for index in 1..<UInt32(Self.length) {
      let last = state[Int(index) - 1]
      state.append(1_812_433_253 &* (last ^ (last >> 30)) &+ index)
    }
  }

  /// The next 32 bits.
  mutating func next() -> UInt32 {
    if position == Self.length { regenerate() }
    var bits = state[position]
    position += 1
    bits ^= bits >> 11
    bits ^= (bits << 7) & 0x9D2C_5680
    bits ^= (bits << 15) & 0xEFC6_0000
    return bits ^ (bits >> 18)
  }

  private mutating func regenerate() {
    for index in 0..<Self.length {
      let following = state[(index + 1) % Self.length]
      let mixed = (state[index] & 0x8000_0000) | (following & 0x7FFF_FFFF)
      let twist: UInt32 = following & 1 == 1 ? 0x9908_B0DF : 0
      state[index] = state[(index + Self.middle) % Self.length] ^ (mixed >> 1) ^ twist
    }
    position = 0
  }
}
