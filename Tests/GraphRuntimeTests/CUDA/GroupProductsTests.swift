import CCUDA
import GraphIR
import TestSupport
import Testing

@testable import GraphRuntime

/// Products of warp groups, where the GPU computes them as we expect.
struct GroupProductsTests {
  private func call(_ dtype: DType, _ tile: ConvTile) -> CUDACall {
    CUDACall(
      .conv, ConvPlan.function(dtype, tile), grid: (1, 1, 1), block: 2 * tile.rows, sharedBytes: tile.sharedBytes,
      cu_conv())
  }

  /// The kernels that a device launches for calls of the two smallest ones, in both types.
  private func launched(_ options: [String: String]) throws -> [String] {
    let device = try CUDADevice(FakeCUDA(options).context(), cache: .fake)
    let calls = [DType.f16, .bf16].flatMap { dtype in ConvTile.all.suffix(2).map { call(dtype, $0) } }
    return try device.launches(calls).map(\.function.name)
  }

  @Test(.fakeGPU) func theyAreUsedWhereTheyAreRight() throws {
    let names = ["wgmma_f16_128x64", "wgmma_f16_64x64", "wgmma_bf16_128x64", "wgmma_bf16_64x64"]
    #expect(try launched(["SM": "90"]) == names)
  }

  @Test(.fakeGPU, arguments: [["SM": "90", "WGMMA": "0"], ["SM": "80"], ["SM": "100"]])
  func elsewhereWarpsMultiply(_ options: [String: String]) throws {
    #expect(try launched(options) == ["conv_f16_128x64", "conv_f16_64x64", "conv_bf16_128x64", "conv_bf16_64x64"])
  }

  /// On a GPU that has them every kernel's are right.
  @Test(.realGPU) func hardware() throws {
    for gpu in TestGPU.all {
      try gpu.use { device in
        let calls = [DType.f16, .bf16].flatMap { dtype in ConvTile.all.map { call(dtype, $0) } }
        let isGrouped = device.gpu.architecture.multipliesInGroups
        let names = try device.launches(calls.filter { $0.sharedBytes <= device.gpu.sharedBytesPerBlock })
          .map(\.function.name)
        #expect(names.allSatisfy { $0.hasPrefix(isGrouped ? "wgmma_" : "conv_") }, "\(names)")
      }
    }
  }

  /// A kernel is tried once.
  @Test(.fakeGPU) func trials() throws {
    let fake = try FakeCUDA(["SM": "90"])
    let device = try CUDADevice(fake.context(), cache: .fake)
    let call = call(.f16, ConvTile.all[4])
    for _ in 0..<3 { _ = try device.launches([call, call]) }
    #expect(fake.calls("cuLaunchKernelEx").count == 2)
    // What else there is needs no trial.
    _ = try device.launches([CUDACall(.convDirect, "conv_direct", grid: (1, 1, 1), block: 256, cu_conv())])
    #expect(fake.calls("cuLaunchKernelEx").count == 2)
  }
}
