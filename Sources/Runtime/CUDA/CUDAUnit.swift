import CCUDA
import GraphIR

/// A file of kernels in Sources/CCUDA/kernels, compiled on its own.
package enum CUDAUnit: String, Sendable, CaseIterable {
  /// Convolutions and products on tensor cores.
  case conv
  /// The same by warp groups.
  case convGroups = "conv_wgmma"
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
    "cu_kernels.h", "machine.cuh", "prelude.cuh", "multiply.cuh", "wgmma.cuh", "epilogue.cuh", "conv.cu",
  ]

  /// Those that a family of GPUs has.
  package static func units(for architecture: CUDAArchitecture) -> [CUDAUnit] {
    allCases.filter { $0 != .convGroups || architecture.multipliesInGroups }
  }

  /// What NVRTC is given.
  package func source(for architecture: CUDAArchitecture) -> CUDASource {
    CUDASource(
      name: "\(rawValue).cu", text: Self.text("\(rawValue).cu"),
      headers: Self.headers.map { ($0, Self.text($0)) }, architecture: architecture.rawValue)
  }

  private static func text(_ name: String) -> String { sd_cuda_source(name).map { String(cString: $0) } ?? "" }
}
