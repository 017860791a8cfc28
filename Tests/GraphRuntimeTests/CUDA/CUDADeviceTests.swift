import GraphIR
import GraphRuntime
import TestSupport
import Testing

/// Whole programs on a GPU: lowering, views, memory plan and kernels together, against the interpreter.
@Suite struct CUDADeviceTests {
  private func check(seed: Int, on device: CUDADevice) throws {
    try checkRandomGraph(seed: UInt64(seed)) { (graph, inputs, parameters) throws(SDError) in
      try run(
        graph, on: device, inputs,
        fill: { (arena) throws(SDError) in
          try device.context.fill(arena.address, byteCount: arena.byteCount, 0xFF)
        }, parameters: parameters)
    }
  }

  @Test func randomGraphs() throws {
    for (index, gpu) in TestGPU.all.enumerated() {
      try gpu.use { device in
        for seed in 100 * index..<100 * index + 100 { try check(seed: seed, on: device) }
      }
    }
  }

  /// What a program takes on the GPU is there again when it has gone. A real driver keeps some memory for what comes next, and
  /// others may use the GPU.
  @Test func nothingStays() throws {
    for gpu in TestGPU.all {
      try gpu.use { device in
        for _ in 0..<20 { try check(seed: 3, on: device) }
        let free = try device.context.memory().free
        for _ in 0..<200 { try check(seed: 3, on: device) }
        let gone = free - (try device.context.memory().free)
        #expect(TestGPU.isReal ? gone < 4 << 20 : gone == 0)
      }
    }
  }

  /// Later runs launch what was recorded, and read what was written in between. A run whose recording somebody else spoils
  /// does without, and the next one records.
  @Test(
    .fakeGPU,
    arguments: [
      "": (recordings: 1, launches: 2), "cuStreamEndCapture:1:901": (2, 6),
      "cuLaunchKernelEx:2:901,cuStreamEndCapture:1:901": (2, 6),
    ])
  func recordedRuns(failures: String, calls: (recordings: Int, launches: Int)) throws {
    let fake = try FakeCUDA(["FAIL": failures])
    let device = try CUDADevice(fake.context(), cache: .fake)
    let graph = try makeGraph([TensorType(.f32, [2, 3])]) { (x) throws(SDError) in try x[0].silu().adding(x[0]) }
    let program = try lower(graph, with: device.library)
    let (x, y) = (try device.tensor(TensorType(.f32, [2, 3])), try device.tensor(TensorType(.f32, [2, 3])))
    let executable = try device.prepare(
      program, weights: NoWeights(), arena: device.allocate(program.arenaBytes), bindings: ["0": x, "out": y],
      profile: nil)
    for value in [1, 2, 3] as [Float] {
      try x.write([Float](repeating: value, count: 6))
      try executable.run()
      let expected = value / (1 + Float(1 / 2.718281828459045).power(value)) + value
      for result in try y.read() { #expect((result - expected).magnitude < 1e-5) }
    }
    try executable.finish()
    #expect(fake.calls("cuStreamBeginCapture_v2").count == calls.recordings)
    #expect(fake.calls("cuGraphLaunch").count == 4 - calls.recordings)
    #expect(fake.calls("cuLaunchKernelEx").count == calls.launches)
  }

  /// Binaries run on later minor versions, but not on those of Jetson.
  @Test func families() {
    let families: [Int: CUDAArchitecture] = [
      80: .sm80, 86: .sm86, 89: .sm89, 90: .sm90, 100: .sm100, 103: .sm100, 120: .sm120, 121: .sm120,
    ]
    for (capability, family) in families { #expect(CUDAArchitecture(computeCapability: capability) == family) }
    for capability in [75, 87, 101, 110] { #expect(CUDAArchitecture(computeCapability: capability) == nil) }
    #expect(CUDAArchitecture(name: "sm_103") == .sm100)
    #expect(CUDAArchitecture(name: "sm_87") == nil)
  }

  /// Programs that have the same weight have it once.
  @Test(.fakeGPU) func sharedWeights() throws {
    let fake = try FakeCUDA()
    let device = try CUDADevice(fake.context(), cache: .fake)
    let builder = GraphBuilder(name: "g")
    let x = try builder.input("x", TensorType(.f32, [2, 8]))
    try builder.output("out", x.linear(builder.parameter("w", [16, 8])))
    let program = try lower(builder.graph, with: device.library)
    let weights = OneWeight(try TensorStorage(TensorType(.f32, [16, 8])))
    let bindings = [
      "x": try device.tensor(TensorType(.f32, [2, 8])), "out": try device.tensor(TensorType(.f32, [2, 16])),
    ]
    let arena = try device.allocate(program.arenaBytes)
    let first = try device.prepare(program, weights: weights, arena: arena, bindings: bindings, profile: nil)
    let uploads = fake.calls("cuMemcpyHtoDAsync_v2").count
    let second = try device.prepare(program, weights: weights, arena: arena, bindings: bindings, profile: nil)
    #expect(uploads == 1 && fake.calls("cuMemcpyHtoDAsync_v2").count == 1)
    for executable in [first, second] { try executable.run() }
  }

  /// Steps are run several times to be timed: programs for that destroy nothing that they read.
  @Test(.fakeGPU) func profiledRuns() throws {
    let device = try CUDADevice(FakeCUDA().context(), cache: .fake)
    let (builder, type) = (GraphBuilder(name: "g"), TensorType(.f32, [2, 8]))
    let x = try builder.input("x", type)
    let weight = try builder.parameter("w", [8, 8])
    let sum = try builder.add(
      FusedConv(sources: [.init()], epilogues: [.residual]), [x.applying(Exp()), weight, x.silu()])
    try builder.output("out", sum.silu())
    let inPlace = try lower(builder.graph, with: device.library)
    let repeatable = try lower(builder.graph, with: device.library, inPlace: false)
    #expect([inPlace, repeatable].map { $0.buffers.compactMap(\.replaces).count } == [1, 0])
    let weights = OneWeight(try TensorStorage(TensorType(.f32, [8, 8])))
    weights.tensor.write((0..<64).map { Float($0) / 64 })
    var results: [[Float]] = []
    for (program, profile) in [(inPlace, nil), (repeatable, Profile())] {
      let bindings = ["x": try device.tensor(type), "out": try device.tensor(type)]
      try bindings["x"]?.write((0..<16).map { Float($0) / 16 })
      let executable = try device.prepare(
        program, weights: weights, arena: device.allocate(program.arenaBytes), bindings: bindings, profile: profile)
      try executable.run()
      try results.append(#require(bindings["out"]).read())
      if let profile { #expect(profile.events.count == 4) }
    }
    #expect(results[0] == results[1] && results[0].allSatisfy { $0 > 0 })
  }

  private final class NoWeights: WeightSource {
    func bytes(of weight: Program.Weight) throws(SDError) -> UnsafeRawPointer {
      throw SDError(.invalid, "there are no weights")
    }
  }

  private final class OneWeight: WeightSource {
    let tensor: TensorStorage

    init(_ tensor: TensorStorage) { self.tensor = tensor }

    func bytes(of weight: Program.Weight) throws(SDError) -> UnsafeRawPointer {
      UnsafeRawPointer(tensor.memory.base)
    }
  }
}

extension Float {
  /// This number to a whole power.
  fileprivate func power(_ exponent: Float) -> Float { (0..<Int(exponent)).reduce(1) { (x, _) in x * self } }
}
