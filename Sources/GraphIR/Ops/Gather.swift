/// Picks rows of a table by index: `y[...] = table[ids[...]]`.
///
/// - table: `[V, D]`, floating-point; ids: any shape, i32 or i64 (C1), 0 ≤ id < V at run time.
///   Result: `[..., D]`, element type of the table.
/// - Reference: `torch.nn.functional.embedding`.
public struct Gather: PrimitiveOp {
  /// `sd.gather`.
  public static let id = OpID("gather")

  /// The op; it has no attributes.
  public init() {}

  /// The shape of the ids with the table's row behind it.
  public func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    try expect(operands, count: 2)
    let table = try expectFloat(operands, 0, rank: 2...2)
    guard !operands[1].dtype.isFloat else {
      throw reject("ids must be integers, they are \(operands[1]) (C1)")
    }
    return [table.with(shape: operands[1].shape + [table.shape[1]])]
  }

  /// Copies the rows; an id outside the table is an error.
  public func evaluate(_ operands: [Tensor]) throws(SDError) -> [Tensor] {
    let (table, ids) = (operands[0], operands[1])
    let (rows, width) = (table.shape[0], table.shape[1])
    var values: [Float] = []
    values.reserveCapacity(ids.values.count * width)
    for id in ids.values {
      guard id >= 0, id < Float(rows) else {
        let shown = Int(exactly: id).map(String.init) ?? "\(id)"
        throw SDError(.invalid, "[\(Self.id)] id \(shown) is outside the table of \(rows) rows")
      }
      values += table.values[(Int(id) * width)..<((Int(id) + 1) * width)]
    }
    return [Tensor(table.type.with(shape: ids.shape + [width]), values)]
  }
}

extension Value {
  /// The rows of this table `[V, D]` that the integer tensor `ids` names.
  public func gather(_ ids: Value) throws(SDError) -> Value { try applying(Gather(), ids) }
}
