import CCUDA
import GraphIR
import TestSupport
import Testing

@testable import GraphRuntime

/// How convolutions and products become launches; `CUDAKernelTests` has what these compute.
struct FusedConvCUDATests {
  /// Every cut is right, and a measured one is taken.
  @Test func cuts() throws {
    let conv = FusedConv(sources: [FusedConv.Source(padding: Padding(1))], dtype: .f32)
    let node = KernelSignature(
      operands: [TensorType(.bf16, [2, 5, 7, 72]), TensorType(.bf16, [40, 72, 3, 3])],
      results: [TensorType(.f32, [2, 5, 7, 40])], isWeight: [false, false])
    let gpu = try TestGPU.all[0].use(\.gpu)
    let (call, cuts) = (GraphText.call(conv, node.operands), conv.cuts(node, on: gpu))
    #expect(Set(cuts).count == cuts.count && cuts.count > 8)
    for cut in cuts {
      var check = CUDACheck(conv, weights: [1])
      (check.cuts, check.gaps) = ([call: cut], [0])
      let splits = cut.splits > 1 ? "/\(cut.splits)" : ""
      let kernels = try check.run(operands: node.operands)
      #expect(kernels.contains("conv_\(cut.tile.rows)x\(cut.tile.columns)\(splits)"), "\(kernels)")
    }
    // One that is not possible.
    var other = gpu
    other.cuts = [call: ConvCut(tile: ConvTile.all[0], splits: 99)]
    #expect(conv.cudaKernel(node, on: other)?.name == conv.cudaKernel(node, on: gpu)?.name)
  }

  /// No grid is higher than 65,535 blocks.
  @Test(arguments: [DType.f32, .f16]) func manyProducts(_ dtype: DType) throws {
    let node = KernelSignature(
      operands: [TensorType(dtype, [140_000, 1, 8]), TensorType(dtype, [140_000, 8, 8])],
      results: [TensorType(dtype, [140_000, 1, 8])], isWeight: [false, false])
    let gpu = GPU(typical: .sm80)
    let calls = try #require(MatMul(transposeB: true).cudaKernel(node, on: gpu)).calls(node.cudaPlaceholders)
    #expect(calls.map(\.grid.z) == [65_535, 65_535, 8_930])
    #expect(
      calls.map { $0.parameters.withUnsafeBytes { $0.loadUnaligned(as: cu_conv.self) }.batch_first } == [
        0, 65_535, 131_070,
      ])
  }
}
