import DiffusionModels
import GraphPasses
import TestSupport
import Testing

struct BenchmarkTests {
  @Test(arguments: Component.allCases) func subject(component: Component) throws {
    let subject = try Benchmark(MicroModel.sd15.compiled()).prepare(component)
    #expect(subject.flops > 0 && subject.bytes > 0)
    for _ in 0..<2 { #expect(try subject.run() > 0) }
  }

  /// 16-bit weights and activations are fewer bytes.
  @Test func bytes() throws {
    let (wide, narrow) = (try MicroModel.sd15.compiled(), try MicroModel.sd15.compiled(.init(.bf16)))
    #expect(try Benchmark(narrow).prepare(.unet).bytes < Benchmark(wide).prepare(.unet).bytes)
  }

  @Test func timings() {
    let three = Timings([3, 1, 2])
    #expect(three.median == 2 && three.min == 1 && three.max == 3)
    #expect(Timings([4, 1, 2, 3]).median == 2.5)
    #expect(Timings().median == 0 && Timings().min == 0 && Timings().max == 0)
  }
}
