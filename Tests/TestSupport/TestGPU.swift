import GraphIR
package import GraphRuntime
package import Testing

/// What tests of kernels and tools run on: GPUs of the fake driver, or with `SD_TEST_GPU` the machine's, as
/// Tools/gpu-check has it.
package struct TestGPU: Sendable {
  /// Whether it is a real one.
  package static let isReal = Variables["SD_TEST_GPU"] != nil

  /// The machine's; that of all tests, as to open a GPU takes long.
  private static let context = Result { () throws(SDError) in try CUDAContext(ordinal: 0) }

  /// One that multiplies by warps and one that does so by warp groups, which take blocks in different orders.
  package static let all =
    isReal ? [TestGPU(options: [:])] : [["SM": "80", "ORDER": "1"], ["SM": "90", "ORDER": "7"]].map(TestGPU.init)

  /// What the fake driver is told.
  private let options: [String: String]

  /// Calls `body` with the GPU; what a fake one noticed, and what is left on it, is an error.
  package func use<Result>(_ body: (CUDADevice) throws -> Result) throws -> Result {
    if Self.isReal { return try body(CUDADevice(Self.context.get())) }
    let fake = try FakeCUDA(options)
    let result = try body(CUDADevice(fake.context(), cache: .fake))
    guard fake.damages == 0, fake.leaks.isEmpty else {
      throw SDError(.device, "\(fake.damages) damages, leaks \(fake.leaks), with \(options)")
    }
    return result
  }

  /// Variables with which a tool finds it.
  ///
  /// - Parameters:
  ///   - cache: a folder for kernels that are compiled.
  ///   - more: what a fake driver is told besides.
  package func environment(cache: String, _ more: [String: String] = [:]) throws -> [String: String] {
    if Self.isReal { return Variables.all.filter { $0.key.hasPrefix("SD_CUDA") || $0.key == "SD_CACHE_DIR" } }
    var variables = ["SD_CUDA_LIB_DIR": try FakeCUDA.folder(), "SD_CACHE_DIR": cache]
    for (name, value) in options.merging(more, uniquingKeysWith: { $1 }) { variables["FAKECUDA_\(name)"] = value }
    return variables
  }
}

extension Trait where Self == ConditionTrait {
  /// Skips what only the fake driver can show.
  package static var fakeGPU: Self { .disabled(if: TestGPU.isReal, "needs the fake driver") }
  /// Skips what would take the fake driver hours.
  package static var realGPU: Self { .enabled(if: TestGPU.isReal, "needs a GPU: Tools/gpu-check") }
}
