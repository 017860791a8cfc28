import Testing

@testable import DiffusionModels

@Suite struct NoiseScheduleTests {
  @Test func stableDiffusion() throws {
    let noise = NoiseSchedule(try SchedulerFixture.configuration("sd15"), zeroSNR: .floored)
    #expect(noise.alphasCumprod.count == 1000)
    #expect(noise.alphasCumprod[0] == 0.99915)
    #expect(noise.alphasCumprod[999] == 0.004660095)
    #expect(abs(noise.sigmas[999] - 14.614647) < 1e-5)
    #expect(zip(noise.alphasCumprod, noise.alphasCumprod.dropFirst()).allSatisfy { $0 > $1 })
  }

  /// Every 37th value of the tables, made by Tools/reference/schedulers.py.
  @Test func bitsOfTorch() throws {
    let tables = try SchedulerFixture.decoded("alphas", as: [String: [UInt32]].self)
    #expect(Set(tables.keys) == ["sd15", "bare", "cosine", "trained"])
    for (name, bits) in tables {
      let noise = NoiseSchedule(try SchedulerFixture.configuration(name), zeroSNR: .exact)
      let ours = stride(from: 0, to: noise.alphasCumprod.count, by: 37).map {
        noise.alphasCumprod[$0].bitPattern
      }
      #expect(ours == bits, "\(name)")
    }
  }

  @Test func zeroSNR() throws {
    let configuration = try SchedulerFixture.configuration("zero-snr")
    let ignored = NoiseSchedule(configuration, zeroSNR: .ignored).alphasCumprod
    let exact = NoiseSchedule(configuration, zeroSNR: .exact).alphasCumprod
    let floored = NoiseSchedule(configuration, zeroSNR: .floored).alphasCumprod
    #expect(ignored[999] == 0.004660095)
    #expect(exact[999] == 0)
    #expect(floored[999] == 0x1p-24)
    #expect(exact.dropLast() == floored.dropLast())
    #expect(abs(exact[0] - ignored[0]) < 1e-6)
  }

  @Test func linspaceKeepsItsEnds() {
    #expect(linspace(Float(1), 2, 5) == [1, 1.25, 1.5, 1.75, 2])
    #expect(linspace(0.0, 999, 4) == [0, 333, 666, 999])
    #expect(linspace(3.0, 9, 1) == [3])
  }
}
