import Glibc
import GraphIR

/// A tensor with guards around it and gaps between its rows.
///
/// What is around an operand is NaN in every floating-point type. What is around a result, and a result before it is
/// written, is a pattern that no kernel computes.
final class GuardedTensor {
  /// What kernels see. Packed weights have the pitch of the dense tensor, as in a program.
  let view: TensorView
  private let memory: GuardedMemory
  private let rows: (count: Int, bytes: Int, pitch: Int)

  /// Memory for a tensor.
  ///
  /// - Parameter gap: elements between rows and in front of the first; 0 is a dense tensor at a multiple of 64 bytes.
  init(
    _ type: TensorType, layout: WeightLayout = .dense, gap: Int = 0,
    around byte: UInt8 = GuardedMemory.unwritten
  ) {
    let (size, columns) = (type.dtype.size, type.lastDimension)
    rows =
      layout == .dense
      ? (type.rows, columns * size, (columns + gap) * size)
      : (1, layout.byteCount(type), layout.byteCount(type))
    memory = GuardedMemory(byteCount: gap * size + rows.count * rows.pitch, byte)
    view = TensorView(base: memory.base + gap * size, type: type, pitch: columns + gap)
  }

  /// Memory that holds values, as weights in a layout.
  convenience init(_ tensor: Tensor, layout: WeightLayout = .dense, gap: Int = 0) {
    self.init(tensor.type, layout: layout, gap: gap, around: GuardedMemory.nan)
    if layout == .dense {
      view.write(tensor.values)
    } else {
      let dense = GuardedTensor(tensor)
      layout.pack(dense.view.base, as: tensor.type.dtype, to: view.base, type: tensor.type, threads: 1)
    }
  }

  /// Everything unwritten.
  func fill() { memory.fill() }

  /// Whether guards and gaps are as they were.
  var isIntact: Bool {
    guard memory.isIntact else { return false }
    let lead = view.base - memory.base
    return memory.isBlank(0..<lead)
      && (0..<rows.count).allSatisfy {
        memory.isBlank(lead + $0 * rows.pitch + rows.bytes..<lead + ($0 + 1) * rows.pitch)
      }
  }

  /// Whether nobody has written an element of this dense tensor.
  func isBlank(_ element: Int) -> Bool {
    let size = view.type.dtype.size
    return memory.isBlank(element * size..<(element + 1) * size)
  }

  /// Copies an element of another dense tensor of the type.
  func copy(_ element: Int, from other: GuardedTensor) {
    let size = view.type.dtype.size
    memcpy(view.base + element * size, other.view.base + element * size, size)
  }

  /// The first element that differs in its bits from that of another dense tensor of the type.
  func firstDifference(from other: GuardedTensor) -> Int? {
    let size = view.type.dtype.size
    if memcmp(view.base, other.view.base, view.type.byteCount) == 0 { return nil }
    return (0..<view.type.count).first {
      memcmp(view.base + $0 * size, other.view.base + $0 * size, size) != 0
    }
  }

  /// All bytes.
  var bytes: [UInt8] { memory.bytes }

  /// The values.
  var tensor: Tensor { Tensor(view.type, view.read()) }
}

/// Bytes with guards around them, all of one value.
final class GuardedMemory: @unchecked Sendable {
  /// NaN in every floating-point type.
  static let nan: UInt8 = 0xFF
  /// −2.6e36, or −65376 in float16.
  static let unwritten: UInt8 = 0xFB
  private static let guardBytes = 256
  /// The first byte; a multiple of 64.
  let base: UnsafeMutableRawPointer
  private let start: UnsafeMutableRawPointer
  private let byteCount: Int
  private let byte: UInt8

  init(byteCount: Int, _ byte: UInt8) {
    (self.byteCount, self.byte) = (byteCount, byte)
    start = .allocate(byteCount: byteCount + 2 * GuardedMemory.guardBytes, alignment: 64)
    base = start + GuardedMemory.guardBytes
    fill()
  }

  deinit { start.deallocate() }

  func fill() { memset(start, Int32(byte), byteCount + 2 * GuardedMemory.guardBytes) }

  /// Whether the guards are as they were.
  var isIntact: Bool {
    isBlank(-GuardedMemory.guardBytes..<0) && isBlank(byteCount..<byteCount + GuardedMemory.guardBytes)
  }

  /// Whether a range of bytes is as `fill` left it.
  func isBlank(_ range: Range<Int>) -> Bool {
    UnsafeRawBufferPointer(start: base + range.lowerBound, count: range.count).allSatisfy { $0 == byte }
  }

  /// All bytes between the guards.
  var bytes: [UInt8] { Array(UnsafeRawBufferPointer(start: base, count: byteCount)) }
}
