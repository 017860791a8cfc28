/// Resizes images by repeating the nearest pixel: `y[i, j] = x[⌊i · H/height⌋, ⌊j · W/width⌋]`.
///
/// Quotient and product are rounded to float32, as PyTorch does: row 29 of 58 comes from row 14 of 30, not from 15.
///
/// - x: `[B, H, W, C]`, floating-point. Result: `[B, height, width, C]`; height, width, H and W are ≥ 1 (C1).
/// - Reference: `torch.nn.functional.interpolate(mode="nearest")`.
public struct UpsampleNearest: PrimitiveOp {
  /// `sd.upsample_nearest`.
  public static let id = OpID("upsample_nearest")
  /// Rows of the result.
  public var height: Int
  /// Columns of the result.
  public var width: Int

  /// A resize to that many rows and columns.
  public init(height: Int, width: Int) { (self.height, self.width) = (height, width) }

  /// The resized type.
  public func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    try expect(operands, count: 1)
    let x = try expectFloat(operands, 0, rank: 4...4)
    let result = x.with(shape: [x.shape[0], height, width, x.shape[3]])
    guard height >= 1, width >= 1, x.shape[1] >= 1, x.shape[2] >= 1, result.checked() != nil else {
      throw reject("cannot resize to \(height)x\(width) (C1)")
    }
    return [result]
  }

  /// Copies pixels.
  public func evaluate(_ operands: [Tensor]) throws(SDError) -> [Tensor] {
    let x = operands[0]
    let (h, w, c) = (x.shape[1], x.shape[2], x.shape[3])
    var values: [Float] = []
    values.reserveCapacity(x.shape[0] * height * width * c)
    for image in 0..<x.shape[0] {
      for i in 0..<height {
        for j in 0..<width {
          let row = UpsampleNearest.source(of: i, h, height)
          let base = ((image * h + row) * w + UpsampleNearest.source(of: j, w, width)) * c
          values += x.values[base..<(base + c)]
        }
      }
    }
    return [Tensor(x.type.with(shape: [x.shape[0], height, width, c]), values)]
  }

  /// The row of `count` rows that stands at `index` of `size` rows.
  private static func source(of index: Int, _ count: Int, _ size: Int) -> Int {
    min(Int(Float(index) * (Float(count) / Float(size))), count - 1)
  }
}

extension Value {
  /// This image `[B, H, W, C]` resized by repeating the nearest pixel.
  public func upsampleNearest(height: Int, width: Int) throws(SDError) -> Value {
    try applying(UpsampleNearest(height: height, width: width))
  }
}
