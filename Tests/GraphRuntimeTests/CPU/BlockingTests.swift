import GraphIR
import TestSupport
import Testing

@testable import GraphRuntime

/// However a convolution is cut, it is the same convolution.
struct BlockingTests {
  typealias Source = FusedConv.Source

  /// A call: sources, epilogues, and the shapes of its operands.
  struct Call: Sendable, CustomStringConvertible {
    var description: String
    var sources: [Source]
    var epilogues: [FusedConv.Epilogue] = []
    var shapes: [[Int]]

    func op(_ dtype: DType) -> FusedConv { FusedConv(sources: sources, epilogues: epilogues, dtype: dtype) }

    func types(_ dtype: DType) -> [TensorType] { shapes.map { TensorType(dtype, $0) } }

    var weights: Set<Int> { Set(sources.indices.map { 2 * $0 + 1 }) }

    func node(_ dtype: DType) throws -> KernelSignature {
      let types = types(dtype)
      return KernelSignature(
        operands: types, results: try op(dtype).types(of: types), isWeight: types.indices.map(weights.contains))
    }
  }

  static let calls = [
    Call(description: "image", sources: [Source(padding: Padding(1))], shapes: [[2, 17, 33, 40], [100, 40, 3, 3]]),
    Call(
      description: "stride", sources: [Source(stride: 2, padding: Padding(1))],
      shapes: [[1, 33, 31, 32], [70, 32, 3, 3]]),
    Call(
      description: "two sources", sources: [Source(padding: Padding(1)), Source()], epilogues: [.bias],
      shapes: [[1, 20, 9, 16], [65, 16, 3, 3], [1, 20, 9, 33], [65, 33, 1, 1], [65]]),
    Call(
      description: "tiles", sources: [Source(padding: Padding(1)), Source(padding: Padding(1)), Source()],
      epilogues: [.residual],
      shapes: [
        [2, 10, 18, 144], [97, 144, 3, 3], [2, 10, 18, 32], [97, 32, 3, 3], [2, 10, 18, 5], [97, 5, 1, 1],
        [2, 10, 18, 97],
      ]),
    Call(description: "phases", sources: [Source(phases: true)], shapes: [[1, 9, 17, 32], [72, 32, 8, 2]]),
    Call(description: "tiles of phases", sources: [Source(phases: true)], shapes: [[1, 10, 18, 32], [72, 32, 8, 2]]),
    Call(
      description: "rows", sources: [Source()], epilogues: [.residual], shapes: [[300, 64], [97, 64], [300, 97]]),
    Call(description: "gate", sources: [Source()], epilogues: [.gate(.gelu)], shapes: [[130, 48], [198, 48]]),
  ]

  /// From the least to more than there is.
  static let blockings = [(1, 1), (32, 2), (64, 1), (100, 3), (512, 4), (1 << 30, 1 << 30)].map {
    Blocking(rows: $0.0, panels: $0.1)
  }

  /// Every element is written once, within the memory that is its own, and right.
  @Test(arguments: calls, [DType.f32, .bf16]) func everyBlockingIsRight(call: Call, dtype: DType) throws {
    for blocking in BlockingTests.blockings {
      var check = OpCheck(call.op(dtype), weights: call.weights)
      check.threads = [2]
      check.processors = CPU.checked.map { cpu in
        var cpu = cpu
        cpu.blockings[GraphText.call(call.op(dtype), call.types(dtype))] = blocking
        return cpu
      }
      try check.run(operands: call.types(dtype))
    }
  }

  /// The same bits.
  @Test(arguments: calls, [DType.f32, .bf16]) func noBitDependsOnIt(call: Call, dtype: DType) throws {
    let operands = call.types(dtype).enumerated().map { index, type in
      Tensor(type, Tensor.random(type.shape, seed: UInt64(index)).values.map(type.dtype.rounded))
    }
    let node = try call.node(dtype)
    for cpu in CPU.checked {
      var results: Set<[Float]> = []
      for blocking in BlockingTests.blockings + call.op(dtype).blockings(node, on: cpu) {
        var cpu = cpu
        cpu.blockings[GraphText.call(call.op(dtype), node.operands)] = blocking
        let kernel = try #require(call.op(dtype).cpuKernel(node, on: cpu))
        let trial = try KernelTrial(kernel, "\(blocking)", operands, node.results, weights: call.weights, gap: 0)
        results.insert(try trial.runParts()[0].values)
      }
      #expect(results.count == 1, "\(cpu.level)")
    }
  }

  /// A measured blocking is used for its call, and only for that one.
  @Test func theMeasuredOneIsUsed() throws {
    let (call, other) = (BlockingTests.calls[0], BlockingTests.calls[1])
    var cpu = CPU.best
    let predicted = try #require(call.op(.f32).cpuKernel(call.node(.f32), on: cpu))
    cpu.blockings[GraphText.call(call.op(.f32), call.types(.f32))] = Blocking(rows: 8, panels: 1)
    let measured = try #require(call.op(.f32).cpuKernel(call.node(.f32), on: cpu))
    #expect(measured.parts == 2 * 17 * 33 / 8 * 4 + 4 && measured.parts > predicted.parts)
    #expect(
      try other.op(.f32).cpuKernel(other.node(.f32), on: cpu)?.parts
        == other.op(.f32).cpuKernel(other.node(.f32), on: .best)?.parts)
  }

  /// Where products are fast, copying an image for several groups of columns costs relatively more.
  @Test func fastProductsWantLargeGroups() throws {
    guard let tiles = CPU.checked.last(where: { $0.level == .amx }) else { return }
    let call = Call(
      description: "64x64", sources: [Source(padding: Padding(1))], shapes: [[2, 64, 64, 320], [640, 320, 3, 3]])
    let node = try call.node(.bf16)
    let best = call.op(.bf16).blockings(node, on: tiles)[0]
    #expect(best.panels >= call.op(.bf16).blockings(node, on: try CPU(.avx512))[0].panels)
    #expect(best.rows >= 256)
  }

  /// Many threads get parts enough, and not many of them wait for a last round.
  @Test func manyThreadsHaveParts() throws {
    let calls = [
      ([2, 64, 64, 320], [320, 320, 3, 3]), ([2, 32, 32, 640], [640, 640, 3, 3]),
      ([2, 16, 16, 1280], [1280, 1280, 3, 3]),
      ([2, 16, 16, 1280], [1280, 1280, 1, 1]),
    ]
    for (image, weights) in calls {
      let padding = Padding(weights[2] / 2)
      let call = Call(description: "\(image)", sources: [Source(padding: padding)], shapes: [image, weights])
      for cpu in CPU.checked where cpu.multipliesBF16 {
        for threads in [2, 16, 56] {
          var cpu = cpu
          cpu.threads = threads
          let parts = try #require(call.op(.bf16).cpuKernel(call.node(.bf16), on: cpu)).parts
          let rounds = (parts + threads - 1) / threads
          #expect(Double(rounds * threads) < 1.5 * Double(parts), "\(cpu.level), \(threads) threads: \(parts) parts")
        }
      }
    }
  }

  /// Small images still give work to several threads.
  @Test func smallImagesAreCut() throws {
    let call = Call(
      description: "8x8", sources: [Source(padding: Padding(1))], shapes: [[2, 8, 8, 1280], [1280, 1280, 3, 3]])
    for cpu in CPU.checked where cpu.multipliesBF16 {
      let kernel = try #require(call.op(.bf16).cpuKernel(call.node(.bf16), on: cpu))
      #expect(kernel.parts >= 8, "\(cpu.level)")
    }
  }
}
