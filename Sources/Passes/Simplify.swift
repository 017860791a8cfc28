import GraphIR

/// Removes what computes nothing: neutral elements, views of views, conversions there and back.
public struct Simplify: RewritingPass {
  /// `simplify`.
  public let name = "simplify"

  /// The pass; it has no settings.
  public init() {}

  /// The identities.
  public var rules: [Rewrite] {
    [
      neutral("x + 0 → x", Add.self, 0),
      neutral("x − 0 → x", Subtract.self, 0),
      neutral("x · 1 → x", Multiply.self, 1),
      neutral("x / 1 → x", Divide.self, 1),

      Rewrite("reshape(x) of x's shape → x", .op(Reshape.self, ["x"])) { m in try m.unchanged("x") },
      Rewrite(
        "reshape(reshape(x)) → reshape(x)", .op(Reshape.self, [.op(Reshape.self, ["x"], shared: true)])
      ) { m in
        try m["x"].reshaped(m.type.shape)
      },

      Rewrite("transpose(x) in x's order → x", .op(Transpose.self, ["x"], as: "t")) { m in
        let order = try m.op("t", as: Transpose.self).permutation
        return order == order.sorted() ? try m["x"] : nil
      },
      Rewrite(
        "transpose(transpose(x)) → transpose(x)",
        .op(Transpose.self, [.op(Transpose.self, ["x"], as: "inner", shared: true)], as: "outer")
      ) { m in
        let inner = try m.op("inner", as: Transpose.self).permutation
        return try m["x"].transposed(m.op("outer", as: Transpose.self).permutation.map { inner[$0] })
      },

      Rewrite("slice of all of x → x", .op(Slice.self, ["x"])) { m in try m.unchanged("x") },
      Rewrite(
        "slice(slice(x)) along one axis → slice(x)",
        .op(Slice.self, [.op(Slice.self, ["x"], as: "inner", shared: true)], as: "outer")
      ) { m in
        let (inner, outer) = (try m.op("inner", as: Slice.self), try m.op("outer", as: Slice.self))
        guard inner.axis == outer.axis else { return nil }
        return try m["x"].sliced(inner.start + outer.start..<inner.start + outer.end, axis: inner.axis)
      },
      Rewrite(
        "slice(concat(…, x, …)) inside x → slice(x)",
        .op(Slice.self, [.op(Concat.self, as: "concat", shared: true)], as: "slice")
      ) { m in
        let slice = try m.op("slice", as: Slice.self)
        guard try m.op("concat", as: Concat.self).axis == slice.axis else { return nil }
        var start = 0
        for x in try m.operands("concat") {
          let end = start + x.shape[slice.axis]
          if start <= slice.start, slice.end <= end {
            return try x.sliced(slice.start - start..<slice.end - start, axis: slice.axis)
          }
          start = end
        }
        return nil
      },
      Rewrite("concat(x) → x", .op(Concat.self, ["x"])) { m in try m["x"] },

      Rewrite("cast(x) to x's type → x", .op(Cast.self, ["x"])) { m in try m.unchanged("x") },
      Rewrite(
        "cast(cast(x)), the inner one exact → cast(x)",
        .op(Cast.self, [.op(Cast.self, ["x"], as: "inner", shared: true)])
      ) { m in
        // Every float16 and bfloat16 is a float32.
        try m.op("inner", as: Cast.self).dtype == .f32 ? m["x"].cast(to: m.type.dtype) : nil
      },
    ]
  }

  /// An op that returns its first operand when the second one is a certain number.
  private func neutral<O: Op>(_ name: String, _ op: O.Type, _ number: Float) -> Rewrite {
    Rewrite(name, .op(op, ["x", .constant("number", filled: number)])) { m in try m.unchanged("x") }
  }
}
