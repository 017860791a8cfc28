import CCUDA
import GraphIR
import TestSupport
import Testing

@testable import GraphRuntime

/// The kernels as NVIDIA's compiler makes them, against the launches of the host: what can be known without a GPU.
@Suite(.nvrtc) struct KernelCompilationTests {
  /// Bytes of local memory that a thread may take. Registers that are spilled count, and would show here.
  private static let stackBytes = [
    // Sine and cosine of large numbers.
    "unary": 32
  ]

  private static let units = CUDAArchitecture.allCases.flatMap { family in
    CUDAUnit.units(for: family).map { (unit: $0, family: family) }
  }

  @Test(arguments: units)
  func kernels(_ unit: CUDAUnit, for architecture: CUDAArchitecture) throws {
    let cubin = try Cubin(NVRTC.compile(unit.source(for: architecture)))
    let context = try FakeCUDA(["SM": "\(architecture.computeCapability)"]).context()
    let gpu = try context.gpu()
    let emulated = try context.load(FakeCUDA.cubin, name: unit.rawValue)
    let launches = try Self.launches(on: gpu).filter { $0.unit == unit }
    // Neither one that nothing launches nor one that is not there.
    #expect(Set(cubin.kernels.keys) == Set(launches.map(\.function)))
    for launch in launches {
      let name = launch.function
      let kernel = try #require(cubin.kernels[name])
      #expect(kernel.parameterBytes == launch.parameters.count, "\(name)")
      #expect(kernel.threads == launch.block, "\(name)")
      // Registers are given out by eights; a multiprocessor has 65,536.
      #expect((kernel.registers + 7) / 8 * 8 * launch.block <= 65_536, "\(name)")
      #expect(kernel.stackBytes <= Self.stackBytes[name, default: 0], "\(name)")
      // The host leaves out tiles that are too large for a GPU.
      let isLeftOut = [.conv, .convGroups].contains(unit) && launch.sharedBytes > gpu.sharedBytesPerBlock
      #expect(isLeftOut || kernel.sharedBytes + launch.sharedBytes <= gpu.sharedBytesPerBlock, "\(name)")
      // The fake driver runs it, too; that has no others, as it is made from the same files.
      #expect(throws: Never.self) { try emulated.function(name) }
    }
  }

  /// A launch of every kernel, with the most shared memory that the host ever asks for.
  private static func launches(on gpu: GPU) throws -> [CUDACall] {
    let (x, image) = (TensorType(.f32, [2, 8]), TensorType(.f32, [1, 4, 4, 8]))
    var cases: [(op: any Op, operands: [TensorType])] = [
      (SiLU(), [x]), (Add(), [x, x]), (Sum(axes: [0]), [x]), (Transpose(permutation: [1, 0]), [x]),
      (Gather(), [x, TensorType(.i32, [3])]), (UpsampleNearest(height: 8, width: 8), [image]),
      (CausalMask(size: 8), []), (LayerNorm(), [x]), (Softmax(), [x]), (ChannelStatistics(parts: 1), [image]),
      (Normalize(groups: 1, eps: 0), [TensorType(.f32, [1, 2, 2, 6144]), TensorType(.f32, [1, 1, 6144, 2])]),
    ]
    func attention(_ dtype: DType, tokens: Int, width: Int) -> (op: any Op, operands: [TensorType]) {
      let type = TensorType(dtype, [1, tokens, width])
      return (Attention(heads: 1, scale: 1, causal: true), [type, type, type])
    }
    cases.append(attention(.f16, tokens: 12_032, width: 5))
    for dtype in [DType.f16, .bf16] {
      cases += [8, 16, 32, 40, 64, 80, 128, 160].map { attention(dtype, tokens: 64, width: $0) }
    }
    var launches = try cases.flatMap { try calls($0.op, $0.operands, on: gpu) }
    launches.append(CUDACall(.sampler, "sampler", grid: (1, 1, 1), block: CUDASampler.block, cu_sampler()))
    // The host takes the tile that it predicts to be fastest; here it is each of them.
    for var launch in try calls(MatMul(transposeB: true), [x, x], on: gpu) {
      launches.append(launch)
      for tile in ConvTile.all {
        (launch.unit, launch.block, launch.sharedBytes) = (.conv, 2 * tile.rows, tile.sharedBytes)
        for dtype in [DType.f16, .bf16] {
          launch.function = ConvPlan.function(dtype, tile)
          launches += [launch, launch.byGroups]
        }
      }
    }
    return launches
  }

  private static func calls(_ op: any Op, _ operands: [TensorType], on gpu: GPU) throws -> [CUDACall] {
    let signature = KernelSignature(
      operands: operands, results: try op.types(of: operands), isWeight: operands.map { _ in false })
    let kernel = try #require(CUDALibrary(gpu).kernel(for: op, signature) as? CUDAKernel)
    return kernel.calls(signature.cudaPlaceholders)
  }
}
