import GraphIR
import Synchronization

/// Which kernels of a GPU multiply by warp groups.
///
/// Such products depend on how the hardware reads shared memory, which nothing but a GPU of the one family that has them can
/// prove. So each kernel is tried before its first use: whole numbers are multiplied by warp groups and by warps, and unless
/// all sums are the same, warps go on to multiply.
final class GroupProducts: Sendable {
  private let areRight = Mutex<[String: Bool]>([:])

  /// The call, by warp groups where these can be trusted.
  ///
  /// - Throws: `SDError` (device, resources) when the kernel cannot be tried.
  func choose(_ call: CUDACall, on device: CUDADevice) throws(SDError) -> CUDACall {
    guard call.unit == .conv, device.gpu.architecture.multipliesInGroups else { return call }
    let byGroups = call.byGroups
    let isRight = try areRight.withLock { known throws(SDError) in
      if let isRight = known[call.function] { return isRight }
      let isRight = try GroupProducts.agree(call, byGroups, on: device)
      known[call.function] = isRight
      if !isRight {
        StandardError.print(
          "note: \(device.name) (\(device.context.deviceName)) computes wrong products in '\(byGroups.function)'; it goes on "
            + "with the slower '\(call.function)'")
      }
      return isRight
    }
    return isRight ? byGroups : call
  }

  /// Whether a kernel gives the same bits as the one of `call` for a product that fills their pipelines and wraps around
  /// in them.
  private static func agree(_ call: CUDACall, _ other: CUDACall, on device: CUDADevice) throws(SDError) -> Bool {
    let kernels = [DType.f16, .bf16].flatMap { dtype in ConvTile.all.map { (dtype: dtype, tile: $0) } }
    guard let (dtype, tile) = kernels.first(where: { ConvPlan.function($0.dtype, $0.tile) == call.function }) else {
      return false
    }
    let k = 64 * (tile.stages + 2)
    let types = [TensorType(dtype, [tile.rows, k]), TensorType(dtype, [tile.columns, k])]
    let product = FusedConv(sources: [FusedConv.Source()])
    let node = KernelSignature(operands: types, results: try product.types(of: types), isWeight: [false, true])
    var gpu = device.gpu
    gpu.cuts = [GraphText.call(product, types): ConvCut(tile: tile, splits: 1)]
    guard let kernel = product.cudaKernel(node, on: gpu) else { return false }
    // Sums of small whole numbers are exact in float32, in any order.
    var random = SplitMix64(name: call.function)
    let operands = try types.map { (type) throws(SDError) in
      let tensor = try device.tensor(type)
      try tensor.write((0..<type.count).map { _ in Float(Int(random.next() % 9) - 4) })
      return tensor
    }
    let sums = try [call, other].map { (rival) throws(SDError) in
      let result = try device.tensor(node.results[0])
      let tensors = CUDATensors(operands: operands.map(\.view), results: [result.view])
      for var trial in kernel.calls(tensors) {
        (trial.unit, trial.function) = (rival.unit, rival.function)
        try device.context.launch(device.launch(trial))
      }
      return try result.read()
    }
    return sums[0] == sums[1]
  }
}

extension CUDATensor {
  fileprivate var view: CUDAView { CUDAView(address: memory.address, type) }
}

extension CUDACall {
  /// The same call of the kernel that multiplies by warp groups.
  var byGroups: CUDACall {
    var call = self
    call.unit = .convGroups
    call.function = "wgmma" + function.dropFirst("conv".count)
    return call
  }
}
