public import GraphIR

extension Safetensors {
  /// The values of a floating-point tensor, row-major. Throws `.incompatible` if there is no such tensor.
  public func floats(_ name: String) throws(SDError) -> [Float] { try tensor(name).floats() }

  /// The values of an integer tensor, row-major. Throws `.incompatible` if there is no such tensor.
  public func int64s(_ name: String) throws(SDError) -> [Int64] { try tensor(name).int64s() }
}

extension Safetensors.Entry {
  /// The values, row-major; F16 and BF16 are widened exactly. Throws `.incompatible` for other types than
  /// these and F32.
  public func floats() throws(SDError) -> [Float] {
    switch storedType {
    case "F32": values(of: Float.self) { $0 }
    case "F16": values(of: UInt16.self, Float.init(f16:))
    case "BF16": values(of: UInt16.self, Float.init(bf16:))
    default: throw cannotUse("F32, F16 or BF16")
    }
  }

  /// The values, row-major. Throws `.incompatible` for other types than I64 and I32.
  public func int64s() throws(SDError) -> [Int64] {
    switch storedType {
    case "I64": values(of: Int64.self) { $0 }
    case "I32": values(of: Int32.self, Int64.init)
    default: throw cannotUse("I64 or I32")
    }
  }

  private func values<Stored: BitwiseCopyable, Value>(
    of _: Stored.Type, _ convert: (Stored) -> Value
  ) -> [Value] {
    defer { extendLifetime(file) }
    let bytes = bytes
    let count = bytes.count / MemoryLayout<Stored>.size
    return [Value](unsafeUninitializedCapacity: count) { values, initialized in
      for i in 0..<count {
        let stored = bytes.loadUnaligned(fromByteOffset: i &* MemoryLayout<Stored>.size, as: Stored.self)
        values.initializeElement(at: i, to: convert(stored))
      }
      initialized = count
    }
  }
}

extension Float {
  /// The value of an IEEE binary16 bit pattern; NaN keeps its payload. Integer and multiply only, so that loops
  /// of it run in vector registers on every x86-64, where `Float(Float16)` is a call per element.
  init(f16 bits: UInt16) {
    // The exponent bias differs by 112: multiplying by 2¹¹² also normalises subnormals.
    let magnitude = Float(bitPattern: UInt32(bits & 0x7FFF) << 13) * 0x1p112
    let infinity: UInt32 = bits & 0x7C00 == 0x7C00 ? 0x7F80_0000 : 0
    self.init(bitPattern: magnitude.bitPattern | infinity | UInt32(bits & 0x8000) << 16)
  }
}
