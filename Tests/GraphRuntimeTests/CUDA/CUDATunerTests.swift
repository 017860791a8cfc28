import GraphIR
import TestSupport
import Testing

@testable import GraphRuntime

/// Timing convolutions on a GPU, and what plans keep of it.
struct CUDATunerTests {
  /// A product that can be cut along K, a convolution twice, and one that tensor cores do not take.
  private func graph() throws -> Graph {
    let builder = GraphBuilder(name: "g")
    let image = try builder.input("image", TensorType(.f16, [1, 6, 6, 32]))
    let kernel = try builder.add(Parameter(name: "kernel", type: TensorType(.f16, [24, 32, 3, 3])), [])
    let rows = try builder.input("rows", TensorType(.f16, [3, 512]))
    let weight = try builder.add(Parameter(name: "weight", type: TensorType(.f16, [8, 512])), [])
    let exact = try builder.input("exact", TensorType(.f32, [3, 8]))
    let conv = FusedConv(sources: [FusedConv.Source(padding: Padding(1))], dtype: .f32)
    let twice = try builder.results(of: conv, [image.silu(), kernel])[0]
    try builder.output("a", builder.results(of: conv, [image, kernel])[0].adding(twice))
    let product = FusedConv(sources: [.init()], dtype: .f32)
    try builder.output("b", builder.results(of: product, [rows, weight])[0])
    try builder.output("c", builder.results(of: product, [exact, builder.parameter("plain", [8, 8])])[0])
    return builder.graph
  }

  @Test func everyConvolutionOnce() throws {
    for gpu in TestGPU.all {
      try gpu.use { device in
        let graph = try graph()
        var tuner = try CUDATuner(device)
        try tuner.tune(graph)
        #expect(
          Set(tuner.measurements.keys.map { $0.prefix { $0 != "{" } }) == [
            "sd.fused_conv(f16[1, 6, 6, 32], f16[24, 32, 3, 3]) ", "sd.fused_conv(f16[3, 512], f16[8, 512]) ",
          ])
        for measurement in tuner.measurements.values {
          #expect(0 < measurement.best && measurement.best <= measurement.predicted)
          #expect(measurement.predicted < .infinity)
          #expect((measurement.choice == nil) == (measurement.best == measurement.predicted))
        }
        // What is known is not measured again.
        let first = tuner.tuning
        guard case .cuda(let stored) = first else { throw SDError(.invalid, first.place) }
        try tuner.tune(graph)
        #expect(tuner.tuning == first && stored.fits(device.gpu))
        #expect(stored.cuts.count == tuner.measurements.values.count { $0.choice != nil })
      }
    }
  }

  private let tuning = CUDATuning(
    architecture: .sm90, deviceName: "NVIDIA H200", multiprocessors: 132,
    cuts: ["sd.fused_conv(f16[2, 8], f16[8, 8])": ConvCut(tile: ConvTile.all[2], splits: 3)])

  @Test func asItIsStored() throws {
    #expect(
      tuning.json.canonical == """
        {"cuda":"sm_90","cuts":{"sd.fused_conv(f16[2, 8], f16[8, 8])":[128,128,3]},"gpu":"NVIDIA H200","multiprocessors":132}
        """)
    #expect(try Tuning(JSON.Config(tuning.json, file: "x")) == .cuda(tuning))
    #expect(Tuning.cuda(tuning).place == "cuda sm_90 (NVIDIA H200), 132 multiprocessors")
    // A tile of another version.
    let text = #"{"cuda":"sm_90","cuts":{"f":[1,2,3]},"gpu":"x","multiprocessors":1}"#
    #expect(try Tuning(JSON.Config(JSON(parsing: Array(text.utf8), name: "x"), file: "x")).count == 0)
  }

  @Test(arguments: [
    (#"{"cuda":"sm_75","gpu":"x","multiprocessors":1}"#, #"x: "cuda" is "sm_75", which this version does not know"#),
    (#"{"cuda":"sm_90","multiprocessors":1}"#, #"x: "gpu" is missing, it must be a string"#),
    (
      #"{"cuda":"sm_90","cuts":{"f":[1]},"gpu":"x","multiprocessors":1}"#,
      #"x: "cuts": "f" must be 3 numbers in 1 ... 1073741824, it is [1]"#
    ),
  ])
  func refusals(text: String, message: String) throws {
    let json = try JSON(parsing: Array(text.utf8), name: "x")
    expectError(.invalid, message) { try Tuning(JSON.Config(json, file: "x")) }
  }

  @Test func whomItFits() {
    let here = GPU(architecture: .sm90, multiprocessors: 132, sharedBytesPerBlock: 1)
    #expect(tuning.fits(here))
    #expect(!tuning.fits(GPU(architecture: .sm90, multiprocessors: 114, sharedBytesPerBlock: 1)))
    #expect(!tuning.fits(GPU(architecture: .sm100, multiprocessors: 132, sharedBytesPerBlock: 1)))
  }
}
