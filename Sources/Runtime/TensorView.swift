public import GraphIR

/// Where a kernel finds a tensor: rows of contiguous elements, `pitch` elements from one row to the next.
public struct TensorView: @unchecked Sendable {
  /// The first element.
  public let base: UnsafeMutableRawPointer
  /// Element type and shape.
  public let type: TensorType
  /// Elements from a row to the next; at least the last dimension.
  public let pitch: Int

  /// A view of memory that outlives it.
  package init(base: UnsafeMutableRawPointer, type: TensorType, pitch: Int) {
    (self.base, self.type, self.pitch) = (base, type, pitch)
  }

  /// All dimensions but the last, taken together.
  public var rows: Int { type.rows }

  /// The last dimension.
  public var columns: Int { type.lastDimension }

  /// Element 0 of a row.
  public func row(_ index: Int) -> UnsafeMutableRawPointer { base + index * pitch * type.dtype.size }

  /// One element as Float; `column` and `row` must be in range.
  public subscript(row: Int, column: Int) -> Float {
    get { TensorView.load(self.row(row), column, type.dtype) }
    nonmutating set { TensorView.store(newValue, self.row(row), column, type.dtype) }
  }

  /// All values, dense, as Float.
  func read() -> [Float] {
    var values: [Float] = []
    values.reserveCapacity(type.count)
    for index in 0..<rows {
      let row = row(index)
      for column in 0..<columns { values.append(TensorView.load(row, column, type.dtype)) }
    }
    return values
  }

  /// Stores dense values, rounding to the element type.
  func write(_ values: [Float]) {
    var next = 0
    for index in 0..<rows {
      let row = row(index)
      for column in 0..<columns {
        TensorView.store(values[next], row, column, type.dtype)
        next += 1
      }
    }
  }

  private static func load(_ row: UnsafeMutableRawPointer, _ column: Int, _ dtype: DType) -> Float {
    switch dtype {
    case .f32: row.loadUnaligned(fromByteOffset: 4 * column, as: Float.self)
    case .f16: Float(row.loadUnaligned(fromByteOffset: 2 * column, as: Float16.self))
    case .bf16: Float(bf16: row.loadUnaligned(fromByteOffset: 2 * column, as: UInt16.self))
    case .i32: Float(row.loadUnaligned(fromByteOffset: 4 * column, as: Int32.self))
    case .i64: Float(row.loadUnaligned(fromByteOffset: 8 * column, as: Int64.self))
    }
  }

  /// The integer part, held in the range of integers; zero for NaN.
  private static func integer(_ value: Float) -> Int {
    if value.isNaN { return 0 }
    return value >= 0x1p63 ? .max : value < -0x1p63 ? .min : Int(value)
  }

  private static func store(_ value: Float, _ row: UnsafeMutableRawPointer, _ column: Int, _ dtype: DType) {
    switch dtype {
    case .f32: row.storeBytes(of: value, toByteOffset: 4 * column, as: Float.self)
    case .f16: row.storeBytes(of: Float16(value), toByteOffset: 2 * column, as: Float16.self)
    case .bf16: row.storeBytes(of: value.bf16, toByteOffset: 2 * column, as: UInt16.self)
    case .i32: row.storeBytes(of: Int32(clamping: integer(value)), toByteOffset: 4 * column, as: Int32.self)
    case .i64: row.storeBytes(of: Int64(integer(value)), toByteOffset: 8 * column, as: Int64.self)
    }
  }
}
