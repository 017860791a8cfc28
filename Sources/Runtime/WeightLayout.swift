import CKernels
package import GraphIR

/// How a weight lies in memory, which depends on its type only: a permutation of its elements plus zero padding, or for
/// `winograd` sums of them.
package enum WeightLayout: String, Hashable, Sendable, CaseIterable {
  /// As in the checkpoint.
  case dense
  /// Panels of 32 output columns, for `FusedConv`: `[⌈O / 32⌉][kh · kw · C][32]`, in bf16 with the k in pairs,
  /// `[⌈O / 32⌉][kh · ⌈kw · C / 32⌉ · 16][32][2]`.
  case panel32
  /// As `panel32`, with 16 values and their 16 gates in a panel.
  case panel32Gated = "panel32.gated"
  /// Kernels of 3×3 as the 16 factors of F(2×2, 3×3), `[⌈O / 32⌉][16][C][32]`; the four of
  /// phases as those of F(2×2, 2×2), `[⌈O / 32⌉][4][9][C][32]`.
  case winograd
  /// Channels last, `[O][kh][kw][C]`: what GPUs read.
  case rows

  /// Bytes of a weight of this type (`[O, C, kh, kw]` or `[O, C]` unless it is dense).
  package func byteCount(_ type: TensorType) -> Int {
    guard self != .dense else { return type.byteCount }
    var arguments = arguments(type)
    arguments.destination_dtype = type.dtype.ck
    return ck_packed_count(&arguments) * type.dtype.size
  }

  /// Whether a tensor of this type can lie so.
  package func accepts(_ type: TensorType) -> Bool {
    switch self {
    case .dense: true
    case .panel32, .rows: type.dtype.isFloat && (type.rank == 2 || type.rank == 4)
    case .panel32Gated: type.dtype.isFloat && type.rank == 2 && type.shape[0] % 2 == 0
    case .winograd: type.dtype == .f32 && type.rank == 4 && [[3, 3], [8, 2]].contains(Array(type.shape[2...]))
    }
  }

  /// Writes a dense tensor in this layout, converting to `type`'s element type.
  ///
  /// - Parameters:
  ///   - source: dense elements of `sourceType`, which has the shape of `type`; any alignment of its element type.
  ///   - destination: `byteCount(type)` bytes.
  package func pack(
    _ source: UnsafeRawPointer, as sourceType: DType, to destination: UnsafeMutableRawPointer, type: TensorType,
    threads: Int
  ) {
    if self == .dense {
      convert(source, sourceType, to: destination, type.dtype, count: type.count, threads: threads)
    } else {
      var arguments = arguments(type)
      (arguments.source, arguments.destination) = (source, destination)
      (arguments.source_dtype, arguments.destination_dtype) = (sourceType.ck, type.dtype.ck)
      ck_run(ck_pack_weight, &arguments, ck_pack_parts(&arguments), Int32(threads), nil, 0)
    }
  }

  /// The inverse of `pack`: dense elements of `destinationType` out of this layout.
  package func unpack(
    _ source: UnsafeRawPointer, type: TensorType, to destination: UnsafeMutableRawPointer,
    as destinationType: DType, threads: Int
  ) {
    if self == .dense {
      convert(source, type.dtype, to: destination, destinationType, count: type.count, threads: threads)
    } else {
      var arguments = arguments(type)
      (arguments.source, arguments.destination) = (source, destination)
      (arguments.source_dtype, arguments.destination_dtype) = (type.dtype.ck, destinationType.ck)
      ck_run(ck_unpack_weight, &arguments, ck_pack_parts(&arguments), Int32(threads), nil, 0)
    }
  }

  private func arguments(_ type: TensorType) -> ck_pack {
    let taps = type.rank == 4 ? type.shape[2] * type.shape[3] : 1
    var arguments = ck_pack()
    arguments.columns = type.shape[0]
    arguments.channels = type.shape[1]
    arguments.kernel_h = type.rank == 4 ? type.shape[2] : 1
    arguments.kernel_w = type.rank == 4 ? type.shape[3] : 1
    arguments.column_stride = type.shape[1] * taps
    arguments.channel_stride = taps
    arguments.tap_stride = type.rank == 4 ? 1 : 0
    arguments.layout =
      switch self {
      case .dense, .panel32: CK_PANEL32
      case .panel32Gated: CK_PANEL32_GATED
      case .winograd: CK_WINOGRAD
      case .rows: CK_ROWS
      }
    return arguments
  }
}

/// Converts dense elements; equal types are copied.
private func convert(
  _ source: UnsafeRawPointer, _ from: DType, to destination: UnsafeMutableRawPointer, _ to: DType, count: Int,
  threads: Int
) {
  if from == to {
    destination.copyMemory(from: source, byteCount: count * from.size)
    return
  }
  // Rows of a fixed length, so that threads can share the work, then the rest.
  let width = 1 << 12
  for (start, rows, columns) in [(0, count / width, width), (count / width * width, 1, count % width)] {
    guard rows > 0, columns > 0 else { continue }
    var arguments = ck_convert()
    arguments.x = source + start * from.size
    arguments.y = destination + start * to.size
    (arguments.x_dtype, arguments.y_dtype) = (from.ck, to.ck)
    (arguments.x_pitch, arguments.y_pitch) = (columns, columns)
    (arguments.rows, arguments.columns) = (rows, columns)
    ck_run(
      CPU.best.kernels.pointee.convert, &arguments, ck_elementwise_parts(rows, columns), Int32(threads), nil, 0)
  }
}

extension DType {
  /// The kernels' name for this type.
  var ck: ck_dtype {
    switch self {
    case .f32: CK_F32
    case .f16: CK_F16
    case .bf16: CK_BF16
    case .i32: CK_I32
    case .i64: CK_I64
    }
  }
}
