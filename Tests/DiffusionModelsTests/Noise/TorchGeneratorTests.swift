import Testing

@testable import DiffusionModels

@Suite struct TorchGeneratorTests {
  /// Successive draws of one generator, made by Tools/reference/noise.py.
  struct Case: Decodable, Sendable {
    struct Draw: Decodable, Sendable {
      let count: Int
      let digest: String
      let bits: [UInt32]
    }
    let seed: String
    let draws: [Draw]
  }

  @Test func bitsOfTorch() throws {
    let cases = try SchedulerFixture.decoded("noise", as: [Case].self)
    #expect(cases.count == 57)
    for run in cases {
      var generator = TorchGenerator(seed: try #require(UInt64(run.seed)))
      for draw in run.draws {
        let values = generator.randn(draw.count)
        #expect(values.count == draw.count)
        #expect(values.prefix(24).map(\.bitPattern) == draw.bits, "seed \(run.seed), \(draw.count) numbers")
        #expect("\(digest(values))" == draw.digest, "seed \(run.seed), \(draw.count) numbers")
      }
    }
  }

  @Test func onlyTheLow32BitsOfTheSeedCount() {
    var small = TorchGenerator(seed: 7)
    var large = TorchGenerator(seed: 7 + 1 << 32)
    var other = TorchGenerator(seed: 8)
    let values = small.randn(20)
    #expect(large.randn(20) == values)
    #expect(other.randn(20) != values)
  }

  @Test func nothingDrawnNothingChanged() {
    var generator = TorchGenerator(seed: 1)
    var same = generator
    #expect(generator.randn(0) == [])
    #expect(generator.randn(-5) == [])
    #expect(generator.randn(18) == same.randn(18))
  }

  /// FNV-1a over the little-endian bits.
  private func digest(_ values: [Float]) -> UInt64 {
    values.reduce(0xCBF2_9CE4_8422_2325) { digest, value in
      (0..<4).reduce(digest) { ($0 ^ UInt64(value.bitPattern >> (8 * $1) & 0xFF)) &* 0x100_0000_01B3 }
    }
  }
}
