import GraphIR
import GraphRuntime
import TestSupport
import Testing

@Suite struct FusedFeedForwardKernelTests {
  private func op(_ epilogues: [FusedConv.Epilogue]) -> FusedFeedForward {
    FusedFeedForward(
      hidden: FusedConv(sources: [.init()], epilogues: [.bias, .gate(.gelu)], dtype: .bf16),
      output: FusedConv(sources: [.init()], epilogues: epilogues, dtype: .bf16))
  }

  private static func types(_ shape: [Int], _ hidden: Int, _ columns: Int) -> [TensorType] {
    let k = shape[shape.count - 1]
    return [shape, [2 * hidden, k], [2 * hidden], [columns, hidden], [columns], shape.dropLast() + [columns]]
      .map { TensorType(.bf16, $0) }
  }

  /// Whole strips, a last one of rows that are no tile, and one of a single row.
  @Test(arguments: [4096, 4096 + 33, 4096 + 17, 4096 + 1]) func kernel(rows: Int) throws {
    for (k, hidden, columns) in [(16, 33, 17), (7, 15, 31), (33, 77, 1), (32, 64, 32)] {
      var check = OpCheck(op([.bias, .residual]), weights: [1, 3])
      check.processors = CPU.checked.filter(\.multipliesBF16)
      check.threads = [2, 7]
      guard !check.processors.isEmpty else { return }
      let report = try check.run(operands: Self.types([rows, k], hidden, columns))
      #expect(report.kernels.allSatisfy { $0.hasPrefix("feed_forward_bf16.") } && !report.kernels.isEmpty)
    }
  }

  /// Where there are few rows or many weights, in other types and with a row a sample there is none: the layers have their own.
  @Test func noKernel() {
    func kernel(_ op: FusedFeedForward, _ types: [TensorType], on cpu: CPU) -> CPUKernel? {
      op.cpuKernel(
        KernelSignature(operands: types, results: [types[5]], isWeight: [false, true, false, true, false, false]),
        on: cpu)
    }
    let types = Self.types([2, 2048, 64], 128, 64)
    for cpu in CPU.checked {
      #expect((kernel(op([.bias, .residual]), types, on: cpu) != nil) == cpu.multipliesBF16)
      #expect(kernel(op([.bias, .residual]), Self.types([2, 2047, 64], 128, 64), on: cpu) == nil)
      #expect(kernel(op([.bias, .residual]), Self.types([4096, 1024], 1024, 64), on: cpu) == nil)
      #expect(kernel(op([.bias, .residual]), types.map { $0.with(.f32) }, on: cpu) == nil)
      var rows = types
      rows[5] = TensorType(.bf16, [2, 64])
      #expect(kernel(op([.bias, .row]), rows, on: cpu) == nil)
    }
  }

  /// The same bits as the two layers one after the other, from a smaller arena.
  @Test func layers() throws {
    guard CPU.best.multipliesBF16 else { return }
    let types = Self.types([2, 2048 + 5, 40], 64, 24)
    let op = op([.bias, .residual])
    func graph(_ build: (GraphBuilder, [Value]) throws(SDError) -> Value) throws -> Graph {
      let builder = GraphBuilder(name: "layers")
      var values: [Value] = []
      for (index, type) in types.enumerated() {
        let isInput = index == 0 || index == 5
        values.append(
          try isInput ? builder.input("\(index)", type) : builder.add(Parameter(name: "\(index)", type: type), []))
      }
      try builder.output("y", build(builder, values))
      return builder.graph
    }
    let fused = try graph { (b, v) throws(SDError) in try b.add(op, v) }
    let apart = try graph { (b, v) throws(SDError) in
      try b.add(op.output, [b.add(op.hidden, Array(v[..<3]))] + v[3...])
    }
    let device = CPUDevice(threads: 2)
    let tensors = types.enumerated().map { Tensor.random($1, seed: UInt64($0)) }
    let inputs = ["0": tensors[0], "5": tensors[5]]
    let results = try [fused, apart].map { graph in
      try run(graph, on: device, inputs, fill: { _ in }, parameters: { tensors[Int($0.name) ?? 0] })
    }
    #expect(results[0]["y"] == results[1]["y"])
    let programs = try [fused, apart].map { try lower($0, with: device.library) }
    #expect(programs.map(\.steps.count) == [1, 2] && programs.map(\.arenaBytes)[0] == 0)
  }
}
