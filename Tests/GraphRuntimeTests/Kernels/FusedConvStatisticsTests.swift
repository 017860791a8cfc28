import GraphIR
import GraphRuntime
import TestSupport
import Testing

@Suite struct FusedConvStatisticsKernelTests {
  typealias Source = FusedConv.Source

  /// A call whose strips have whole parts.
  struct Call: CustomStringConvertible {
    let description: String
    let image: [Int]
    let weight: [Int]
    var source = Source(padding: Padding(1))
    let parts: Int
  }

  static let calls = [
    Call(description: "two bands of 32 columns", image: [2, 64, 64, 32], weight: [33, 32, 3, 3], parts: 16),
    Call(description: "one part of many lines", image: [1, 96, 32, 16], weight: [32, 16, 3, 3], parts: 1),
    Call(description: "three bands", image: [1, 16, 96, 8], weight: [16, 8, 3, 3], parts: 6),
    Call(description: "lines of whole tiles", image: [3, 16, 16, 32], weight: [40, 32, 3, 3], parts: 1),
    Call(description: "narrow lines", image: [2, 8, 8, 32], weight: [17, 32, 3, 3], parts: 2),
    Call(description: "rows between lines", image: [2, 24, 24, 32], weight: [32, 32, 3, 3], parts: 2),
    Call(description: "lines that are no tiles", image: [1, 18, 25, 7], weight: [31, 7, 3, 3], parts: 3),
    Call(
      description: "every second pixel", image: [2, 32, 32, 16], weight: [32, 16, 3, 3],
      source: Source(stride: 2, padding: Padding(1)), parts: 1),
    Call(
      description: "phases", image: [2, 16, 16, 32], weight: [24, 32, 8, 2], source: Source(phases: true), parts: 8),
    Call(
      description: "rows of two samples", image: [2, 320, 24], weight: [77, 24], source: Source(), parts: 10),
    Call(description: "single pixels", image: [1, 8, 8, 64], weight: [32, 64, 1, 1], source: Source(), parts: 1),
  ]

  /// Mean and squared deviations of every column over all pixels of a sample, from those of the parts.
  private func merged(_ statistics: Tensor, pixels: Int) -> [(mean: Double, squares: Double)] {
    let (parts, columns) = (statistics.shape[0], statistics.shape[1] * statistics.shape[2])
    let count = Double(pixels / parts)
    return (0..<columns).map { column in
      let pairs = (0..<parts).map { part in
        (0..<2).map { Double(statistics.values[(part * columns + column) * 2 + $0]) }
      }
      let mean = pairs.reduce(0) { $0 + $1[0] } / Double(parts)
      return (mean, pairs.reduce(0) { $0 + $1[1] + count * ($1[0] - mean) * ($1[0] - mean) })
    }
  }

  /// The same, from the values.
  private func exact(_ y: Tensor) -> [(mean: Double, squares: Double)] {
    let (samples, columns) = (y.shape[0], y.shape[y.shape.count - 1])
    let pixels = y.values.count / samples / columns
    return (0..<samples * columns).map { index in
      let (sample, column) = (index / columns, index % columns)
      let values = (0..<pixels).map { Double(y.values[(sample * pixels + $0) * columns + column]) }
      let mean = values.reduce(0, +) / Double(pixels)
      return (mean, values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) })
    }
  }

  /// Results are those of the convolution alone, and their statistics are right, for any cut and number of threads.
  @Test(arguments: calls) func call(_ call: Call) throws {
    let (image, weight) = (TensorType(.bf16, call.image), TensorType(.bf16, call.weight))
    let conv = FusedConv(sources: [call.source], epilogues: [.bias], dtype: .f32)
    let op = FusedConvStatistics(conv: conv, parts: call.parts)
    let bias = TensorType(.f32, [call.weight[0]])
    let tensors = [image, weight, bias].enumerated().map { Tensor.random($1, seed: UInt64($0 + 1)) }
    // A mean far from zero costs no digits.
    let far = Tensor(bias.shape, tensors[2].values.map { $0 + 100 })
    func run(_ op: any Op, on device: CPUDevice) throws -> ([String: Tensor], Program) {
      let builder = GraphBuilder(name: "g")
      let values = [
        try builder.input("x", image), try builder.add(Parameter(name: "w", type: weight), []),
        try builder.add(Parameter(name: "b", type: bias), []),
      ]
      for (name, result) in zip(["y", "s"], try builder.results(of: op, values)) { try builder.output(name, result) }
      return (
        try TestSupport.run(
          builder.graph, on: device, ["x": tensors[0]], fill: { _ in },
          parameters: { $0.name == "w" ? tensors[1] : far }),
        try lower(builder.graph, with: device.library)
      )
    }
    for cpu in CPU.checked where cpu.multipliesBF16 {
      var first: Tensor?
      for (threads, blocking) in [(1, nil), (3, Blocking(rows: 32, panels: 1)), (2, Blocking(rows: 2048, panels: 9))] {
        var cpu = cpu
        if let blocking { cpu.blockings = [GraphText.call(conv, [image, weight, bias]): blocking] }
        let device = CPUDevice(threads: threads, cpu: cpu)
        let (both, program) = try run(op, on: device)
        #expect(program.steps.count == 1 && program.steps[0].kernel.name == "conv_bf16.\(cpu.level.rawValue)")
        let (y, s) = (try #require(both["y"]), try #require(both["s"]))
        #expect(try run(conv, on: device).0["y"] == y)
        #expect(first == nil || first == s)
        first = s
        let pixels = y.values.count / y.shape[0] / call.weight[0]
        for (given, wanted) in zip(merged(s, pixels: pixels), exact(y)) {
          #expect((given.mean - wanted.mean).magnitude < 1e-4, "\(call), \(cpu.level)")
          #expect((given.squares - wanted.squares).magnitude < 1e-4 * wanted.squares + 1e-6, "\(call), \(cpu.level)")
        }
      }
    }
  }

  /// How a convolution is cut depends on threads, and so does whether it normalizes itself, but not who finds the
  /// statistics: their last bits follow from it. The ends of blocks of a U-Net and of a decoder.
  @Test(arguments: [([2, 64, 64, 320], [640, 320], 16), ([1, 256, 256, 256], [512], 64)])
  func statisticsDoNotDependOnThreads(_ image: [Int], skips: [Int], parts: Int) throws {
    let channels = image[3]
    let norm = Normalize(groups: 32, eps: 1e-5, activation: .silu)
    let conv = FusedConv(
      sources: [Source(padding: Padding(1), normalize: norm)] + skips.map { _ in Source() }, epilogues: [.bias],
      dtype: .bf16)
    let builder = GraphBuilder(name: "block")
    func weight(_ name: String, _ shape: [Int]) throws -> Value {
      try builder.add(Parameter(name: name, type: TensorType(.bf16, shape)), [])
    }
    var operands = [
      try builder.input("x", TensorType(.bf16, image)), try weight("w", [channels, channels, 3, 3]),
    ]
    for skip in skips {
      operands.append(try builder.input("skip \(skip)", TensorType(.bf16, image.dropLast() + [skip])))
      operands.append(try weight("w \(skip)", [channels, skip, 1, 1]))
    }
    operands.append(try builder.input("statistics", TensorType(.f32, [1, image[0], channels, 2])))
    for name in ["gamma", "beta", "bias"] { operands.append(try weight(name, [channels])) }
    let results = try builder.results(of: FusedConvStatistics(conv: conv, parts: parts), operands)
    for (name, result) in zip(["y", "s"], results) { try builder.output(name, result) }
    for cpu in CPU.checked where cpu.multipliesBF16 {
      let counts = try (1...16).map { threads in
        let library = CPUDevice(threads: threads, cpu: cpu).library
        return try lower(builder.graph, with: library).steps.count { $0.op is ChannelStatistics }
      }
      #expect(Set(counts).count == 1, "\(cpu.level): \(counts)")
    }
  }

  /// What a device cannot do with the statistics, it does without; so for other types, and where parts and strips differ.
  @Test func withoutKernel() throws {
    func kernel(_ dtype: DType, _ image: [Int], parts: Int, on cpu: CPU) -> CPUKernel? {
      let op = FusedConvStatistics(conv: FusedConv(sources: [Source(padding: Padding(1))], dtype: dtype), parts: parts)
      let operands = [TensorType(dtype, image), TensorType(dtype, [8, image[3], 3, 3])]
      guard let results = try? op.types(of: operands) else { return nil }
      return op.cpuKernel(KernelSignature(operands: operands, results: results, isWeight: [false, true]), on: cpu)
    }
    for cpu in CPU.checked {
      #expect((kernel(.bf16, [1, 16, 16, 32], parts: 1, on: cpu) != nil) == cpu.multipliesBF16)
      #expect(kernel(.f32, [1, 16, 16, 32], parts: 1, on: cpu) == nil)
      // Half a line, a third of the lines of a band, and columns that are no bands.
      #expect(kernel(.bf16, [1, 16, 16, 32], parts: 32, on: cpu) == nil)
      #expect(kernel(.bf16, [1, 16, 64, 32], parts: 16, on: cpu) != nil || !cpu.multipliesBF16)
      #expect(kernel(.bf16, [1, 6, 64, 32], parts: 3, on: cpu) == nil)
      #expect(kernel(.bf16, [1, 8, 80, 32], parts: 1, on: cpu) == nil)
      // Strips of 2,048 pixels of 256 channels are a mebibyte, which is the most.
      #expect(kernel(.bf16, [1, 128, 64, 256], parts: 4, on: cpu) != nil || !cpu.multipliesBF16)
      #expect(kernel(.bf16, [1, 128, 64, 288], parts: 4, on: cpu) == nil)
    }
  }
}
