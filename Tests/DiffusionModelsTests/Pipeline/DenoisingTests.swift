import DiffusionModels
import GraphIR
import GraphRuntime
import TestSupport
import Testing

struct DenoisingTests {
  /// A GPU's guidance and sampler compute what the host's do, to the last bit, for every sampler.
  @Test(arguments: SchedulerName.allCases, [1, 7.5] as [Float]) func sampler(name: SchedulerName, guidance: Float)
    throws
  {
    for gpu in TestGPU.all { try gpu.use { try check(name, guidance: guidance, on: $0) } }
  }

  private func check(_ name: SchedulerName, guidance: Float, on device: CUDADevice) throws {
    // Without guidance there may be no outputs without the prompt.
    for rows in guidance <= 1 ? [1, 2] : [2] { try check(name, guidance: guidance, outputRows: rows, on: device) }
  }

  private func check(_ name: SchedulerName, guidance: Float, outputRows: Int, on device: CUDADevice) throws {
    let (count, steps) = (300, 7)
    let configuration = try SchedulerFixture.configuration("sd15")
    var scheduler = try Scheduler(name, configuration: configuration, steps: steps)
    let rows = scheduler.rows
    let output = try device.tensor(TensorType(.f32, [outputRows, count]))
    let input = try device.tensor(TensorType(.f32, [1, count]))
    let index = try device.tensor(TensorType(.i32, [1]))
    let sampler = try CUDASampler(device, output: output, input: input, index: index, kept: 8)
    var generator = TorchGenerator(seed: 1)
    var sample = generator.randn(count).map { $0 * scheduler.initNoiseSigma }
    try sampler.begin(sample)
    for (number, row) in rows.enumerated() {
      let (unconditional, conditional) = (generator.randn(count), generator.randn(count))
      let noise = generator.randn(count)
      let guided =
        guidance <= 1 ? conditional : zip(unconditional, conditional).map { $0 + guidance * ($1 - $0) }
      sample = scheduler.step(guided, at: number, sample: sample) { _ in noise }
      try output.write(Array((unconditional + conditional).suffix(output.type.count)))
      let scale = rows[min(number + 1, rows.count - 1)].inputScale
      let step = CUDASampler.Step(
        number: number, assignments: try #require(row.onGPU), inputScale: scale, nextIndex: number + 1)
      try sampler.step(step, guidance: guidance, noise: row.drawsNoise ? noise : nil)
      #expect(try sampler.sample() == sample, "step \(number)")
      #expect(try input.read() == sample.map { Float(Double($0) * scale) })
      #expect(try index.read() == [Float(number + 1)])
    }
    #expect(try sampler.failedStep() == nil)
  }

  /// The first step that goes wrong is named, whatever follows.
  @Test func failedStep() throws { for gpu in TestGPU.all { try gpu.use(checkFailure) } }

  private func checkFailure(on device: CUDADevice) throws {
    let output = try device.tensor(TensorType(.f32, [2, 5]))
    let (input, index) = (try device.tensor(TensorType(.f32, [1, 5])), try device.tensor(TensorType(.i32, [1])))
    let sampler = try CUDASampler(device, output: output, input: input, index: index, kept: 1)
    try sampler.begin([1, 2, 3, 4, 5])
    let sum = CUDASampler.Assignment(target: 0, terms: [(.kept(0), 1), (.output, 1)], limit: nil)
    for (number, value) in [0, .infinity, .nan, 0].enumerated() as EnumeratedSequence<[Float]> {
      try output.write([Float](repeating: value, count: 10))
      try sampler.step(
        .init(number: number, assignments: [sum], inputScale: 1, nextIndex: 0), guidance: 1, noise: nil)
    }
    #expect(try sampler.failedStep() == 1)
  }
}
