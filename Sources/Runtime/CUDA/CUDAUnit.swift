import CCUDA
import GraphIR

/// A file of kernels in Sources/CCUDA/kernels, compiled on its own.
package enum CUDAUnit: String, Sendable, CaseIterable {
  /// Convolutions and products on tensor cores.
  case conv
  /// Convolutions and products of any types.
  case convDirect = "conv_direct"
  /// Attention.
  case attention
  /// Normalizations and softmax.
  case norm
  /// Functions of elements, reductions, movements.
  case elementwise
  /// What follows a model call.
  case sampler

  private static let headers = [
    "cu_kernels.h", "machine.cuh", "prelude.cuh", "multiply.cuh", "wgmma.cuh", "epilogue.cuh",
  ]

  /// What NVRTC is given.
  package func source(for architecture: CUDAArchitecture) -> CUDASource {
    let isGrouped = self == .conv && architecture.multipliesInGroups
    return CUDASource(
      name: "\(rawValue).cu", text: Self.text("\(rawValue).cu"),
      headers: Self.headers.map { ($0, Self.text($0)) }, architecture: architecture.rawValue,
      defines: isGrouped ? ["SD_WGMMA"] : [])
  }

  private static func text(_ name: String) -> String { sd_cuda_source(name).map { String(cString: $0) } ?? "" }
}
