/// One row of a table: `y = table[index]`, with the first dimension kept as 1.
///
/// - table: `[R, ...]`, floating-point; index: i32 `[1]` (C1), 0 ≤ index < R at run time. Result: `[1, ...]`.
public struct SelectRow: PrimitiveOp {
  /// `sd.select_row`.
  public static let id = OpID("select_row")

  /// The op; it has no attributes.
  public init() {}

  /// The table's type with one row.
  public func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    try expect(operands, count: 2)
    let table = try expectFloat(operands, 0, rank: 1...8)
    guard operands[1] == TensorType(.i32, [1]) else {
      throw reject("index must be i32[1], it is \(operands[1]) (C1)")
    }
    return [table.with(shape: [1] + table.shape.dropFirst())]
  }

  /// Copies the row; an index outside the table is an error.
  public func evaluate(_ operands: [Tensor]) throws(SDError) -> [Tensor] {
    let table = operands[0]
    let index = operands[1].values[0]
    guard index >= 0, index < Float(table.shape[0]) else {
      let shown = Int(exactly: index).map(String.init) ?? "\(index)"
      throw SDError(.invalid, "[\(Self.id)] row \(shown) is outside the table of \(table.shape[0]) rows")
    }
    let width = table.shape.dropFirst().reduce(1, *)
    let row = table.values[(Int(index) * width)..<((Int(index) + 1) * width)]
    return [Tensor(table.type.with(shape: [1] + table.shape.dropFirst()), Array(row))]
  }
}

extension Value {
  /// Row `index` (i32 `[1]`) of this table `[R, ...]`, as `[1, ...]`.
  public func selectRow(_ index: Value) throws(SDError) -> Value { try applying(SelectRow(), index) }
}
