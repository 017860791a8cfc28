/// The type of a tensor's elements.
public enum DType: String, Hashable, Sendable, Codable, CaseIterable {
  /// IEEE 754 binary32.
  case f32
  /// IEEE 754 binary16.
  case f16
  /// The upper half of a binary32: 8 exponent bits, 7 fraction bits.
  case bf16
  /// Two's complement, 32 bits.
  case i32
  /// Two's complement, 64 bits (token ids as they come in).
  case i64

  /// Bytes one element takes in memory.
  public var size: Int {
    switch self {
    case .f16, .bf16: 2
    case .f32, .i32: 4
    case .i64: 8
    }
  }

  /// Whether elements are floating-point numbers.
  public var isFloat: Bool {
    switch self {
    case .f32, .f16, .bf16: true
    case .i32, .i64: false
    }
  }

  /// The nearest value of this type, ties to even; integers pass unchanged.
  public func rounded(_ value: Float) -> Float {
    switch self {
    case .f32, .i32, .i64: value
    case .f16: Float(Float16(value))
    case .bf16: Float(bf16: value.bf16)
    }
  }
}

extension Float {
  /// The value of a bfloat16 bit pattern.
  public init(bf16 bits: UInt16) {
    self.init(bitPattern: UInt32(bits) << 16)
  }

  /// The nearest bfloat16, ties to even; NaN stays NaN.
  public var bf16: UInt16 {
    if isNaN { return UInt16(truncatingIfNeeded: bitPattern >> 16) | 0x40 }
    let rounding = 0x7FFF + ((bitPattern >> 16) & 1)
    return UInt16(truncatingIfNeeded: (bitPattern &+ rounding) >> 16)
  }
}
