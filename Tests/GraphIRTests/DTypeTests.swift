import GraphIR
import Testing

@Suite struct DTypeTests {
  @Test func sizes() {
    #expect(DType.allCases.map(\.size) == [4, 2, 2, 4, 8])
    #expect(DType.allCases.map(\.isFloat) == [true, true, true, false, false])
  }

  /// Halves between two neighbours go to the even one.
  @Test func rounding() {
    #expect(DType.f16.rounded(0x1.002p0) == 1)
    #expect(DType.f16.rounded(0x1.006p0) == 0x1.008p0)
    #expect(DType.bf16.rounded(0x1.01p0) == 1)
    #expect(DType.bf16.rounded(0x1.03p0) == 0x1.04p0)
    #expect(DType.f32.rounded(0.1) == 0.1)
  }

  @Test func bfloat16() {
    #expect(Float(bf16: 0x3F80) == 1)
    #expect(Float(1).bf16 == 0x3F80)
    #expect(Float.infinity.bf16 == 0x7F80)
    #expect(Float.greatestFiniteMagnitude.bf16 == 0x7F80)
    #expect(Float(bf16: Float.nan.bf16).isNaN)
    #expect(Float(bf16: Float(bitPattern: 0x7F80_0001).bf16).isNaN)
    #expect(Float(-0.0).bf16 == 0x8000)
    for bits in UInt16.min...UInt16.max where !Float(bf16: bits).isNaN {
      #expect(Float(bf16: bits).bf16 == bits)
    }
  }
}
