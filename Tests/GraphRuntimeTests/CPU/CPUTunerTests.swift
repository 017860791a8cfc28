import GraphIR
import TestSupport
import Testing

@testable import GraphRuntime

/// Timing convolutions, and what plans keep of it.
struct CPUTunerTests {
  /// A product, a convolution twice, and something that is not tuned.
  private func graph() throws -> Graph {
    let builder = GraphBuilder(name: "g")
    let image = try builder.input("image", TensorType(.f32, [1, 24, 24, 32]))
    let kernel = try builder.parameter("kernel", [128, 32, 3, 3])
    let rows = try builder.input("rows", TensorType(.f32, [200, 32]))
    let weight = try builder.parameter("weight", [96, 32])
    let conv = FusedConv(sources: [FusedConv.Source(padding: Padding(1))], dtype: .f32)
    let twice = try builder.results(of: conv, [image.silu(), kernel])[0]
    try builder.output("a", builder.results(of: conv, [image, kernel])[0].adding(twice))
    try builder.output("b", builder.results(of: FusedConv(sources: [.init()], dtype: .f32), [rows, weight])[0])
    return builder.graph
  }

  @Test func everyConvolutionOnce() throws {
    let device = CPUDevice(threads: 2)
    let graph = try graph()
    var tuner = try CPUTuner(device)
    try tuner.tune(graph)
    #expect(
      Set(tuner.measurements.keys.map { $0.prefix { $0 != "{" } }) == [
        "sd.fused_conv(f32[1, 24, 24, 32], f32[128, 32, 3, 3]) ", "sd.fused_conv(f32[200, 32], f32[96, 32]) ",
      ])
    for measurement in tuner.measurements.values {
      #expect(0 < measurement.best && measurement.best <= measurement.predicted && measurement.predicted < .infinity)
      #expect((measurement.choice == nil) == (measurement.best == measurement.predicted))
    }
    // What is known is not measured again.
    let first = tuner.tuning
    guard case .cpu(let stored) = first else { throw SDError(.invalid, first.place) }
    let seconds = tuner.measurements.mapValues(\.best)
    try tuner.tune(graph)
    #expect(tuner.tuning == first && tuner.measurements.mapValues(\.best) == seconds)
    #expect(stored.fits(device.cpu) && stored.threads == 2)
    #expect(stored.blockings.count == tuner.measurements.values.count { $0.choice != nil })
  }

  private let tuning = CPUTuning(
    level: .avx2, multipliesBF16: false, threads: 3,
    blockings: ["sd.fused_conv(f32[2, 3], f32[4, 3])": Blocking(rows: 64, panels: 2)])

  @Test func asItIsStored() throws {
    #expect(
      tuning.json.canonical == """
        {"blockings":{"sd.fused_conv(f32[2, 3], f32[4, 3])":[64,2]},"cpu":"avx2","multiplies_bf16":false,"threads":3}
        """)
    #expect(try Tuning(JSON.Config(tuning.json, file: "x")) == .cpu(tuning))
  }

  @Test(arguments: [
    (#"{"multiplies_bf16":true,"threads":1}"#, #"x: "cpu" is missing, it must be a string"#),
    (
      #"{"cpu":"sve","multiplies_bf16":true,"threads":1}"#,
      #"x: "cpu" is "sve", which this version does not know"#
    ),
    (#"{"cpu":"avx2","threads":1}"#, #"x: "multiplies_bf16" is missing, it must be true or false"#),
    (
      #"{"blockings":7,"cpu":"avx2","multiplies_bf16":true,"threads":1}"#,
      #"x: "blockings": must be an object, it is 7"#
    ),
    (
      #"{"blockings":{"f":[1]},"cpu":"avx2","multiplies_bf16":true,"threads":1}"#,
      #"x: "blockings": "f" must be 2 numbers in 1 ... 1073741824, it is [1]"#
    ),
    (
      #"{"blockings":{"f":[0,9]},"cpu":"avx2","multiplies_bf16":true,"threads":1}"#,
      #"x: "blockings": "f" must be 2 numbers in 1 ... 1073741824, it is [0, 9]"#
    ),
    (
      #"{"blockings":{"f":[1,1073741825]},"cpu":"avx2","multiplies_bf16":true,"threads":1}"#,
      #"x: "blockings": "f" must be 2 numbers in 1 ... 1073741824, it is [1, 1073741825]"#
    ),
  ])
  func refusals(text: String, message: String) throws {
    let json = try JSON(parsing: Array(text.utf8), name: "x")
    expectError(.invalid, message) { try Tuning(JSON.Config(json, file: "x")) }
  }

  /// Another level, and the same without products of bf16, have other kernels.
  @Test func whomItFits() throws {
    #expect(CPU.all.filter(tuning.fits).map(\.level) == CPU.all.map(\.level).filter { $0 == .avx2 })
    guard let pairs = CPU.all.first(where: \.multipliesBF16) else { return }
    let here = CPUTuning(level: pairs.level, multipliesBF16: true, threads: 1, blockings: [:])
    #expect(here.fits(pairs))
    #expect(CPU.all.allSatisfy { $0.multipliesBF16 || !here.fits($0) })
  }
}
