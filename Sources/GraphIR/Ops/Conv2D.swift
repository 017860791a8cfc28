/// Space around an image, in pixels.
public struct Padding: Hashable, Codable, Sendable {
  /// Rows above.
  public var top: Int
  /// Columns to the left.
  public var left: Int
  /// Rows below.
  public var bottom: Int
  /// Columns to the right.
  public var right: Int

  /// Different space on the four sides.
  public init(top: Int, left: Int, bottom: Int, right: Int) {
    (self.top, self.left, self.bottom, self.right) = (top, left, bottom, right)
  }

  /// The same space on all sides.
  public init(_ all: Int) { self.init(top: all, left: all, bottom: all, right: all) }
}

/// Two-dimensional convolution (cross-correlation) over zero-padded images.
///
/// - x: `[B, H, W, C]`; weight: `[O, C, kh, kw]` as the checkpoint has it (C1); floating-point.
///   Result: `[B, H', W', O]` with `H' = (H + top + bottom − kh) / stride + 1`, element type of x; sums in float32.
/// - Constraints: stride ≥ 1, padding ≥ 0 (C2); the padded image is at least as large as the kernel (C3).
/// - Reference: `torch.nn.functional.conv2d`.
public struct Conv2D: PrimitiveOp {
  /// `sd.conv2d`.
  public static let id = OpID("conv2d")
  /// Pixels from one window to the next, in both directions.
  public var stride: Int
  /// Zeros around the image.
  public var padding: Padding

  /// A convolution.
  public init(stride: Int = 1, padding: Padding = Padding(0)) {
    (self.stride, self.padding) = (stride, padding)
  }

  /// The result's type.
  public func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    try expect(operands, count: 2)
    let x = try expectFloat(operands, 0, rank: 4...4)
    let weight = try expectFloat(operands, 1, rank: 4...4)
    guard weight.shape[1] == x.shape[3] else {
      throw reject("weight \(weight) must have the \(x.shape[3]) input channels of \(x) (C1)")
    }
    let kernel = (weight.shape[2], weight.shape[3])
    guard
      let size = Conv2D.outputSize(
        height: x.shape[1], width: x.shape[2], kernel: kernel, stride: stride, padding: padding)
    else { throw reject("cannot slide a \(kernel.0)x\(kernel.1) window over \(x) (C2, C3)") }
    return [x.with(shape: [x.shape[0], size.height, size.width, weight.shape[0]])]
  }

  /// Height and width of the result; nil when the window does not fit.
  package static func outputSize(
    height: Int, width: Int, kernel: (Int, Int), stride: Int, padding: Padding
  ) -> (height: Int, width: Int)? {
    let limit = 1 << 31
    let numbers = [kernel.0, kernel.1, stride, padding.top, padding.left, padding.bottom, padding.right]
    guard numbers.allSatisfy({ $0 >= 0 && $0 < limit }), stride >= 1, kernel.0 >= 1, kernel.1 >= 1 else {
      return nil
    }
    let (h, w) = (height + padding.top + padding.bottom, width + padding.left + padding.right)
    guard h >= kernel.0, w >= kernel.1 else { return nil }
    return ((h - kernel.0) / stride + 1, (w - kernel.1) / stride + 1)
  }

  /// Plain loops over windows.
  public func evaluate(_ operands: [Tensor]) throws(SDError) -> [Tensor] {
    let (x, weight) = (operands[0], operands[1])
    let type = try types(of: operands.map(\.type))[0].with(.f32)
    let (h, w, c) = (x.shape[1], x.shape[2], x.shape[3])
    let (o, kh, kw) = (weight.shape[0], weight.shape[2], weight.shape[3])
    // OIHW to [kh, kw, O, C], so that the inner loop runs along both operands.
    let taps = try Transpose(permutation: [2, 3, 0, 1]).evaluate([weight])[0].values
    var values = [Float](repeating: 0, count: type.count)
    var sums = [Double](repeating: 0, count: o)
    var position = 0
    for image in 0..<type.shape[0] {
      for oy in 0..<type.shape[1] {
        for ox in 0..<type.shape[2] {
          for i in 0..<o { sums[i] = 0 }
          for ky in 0..<kh {
            let y = oy * stride + ky - padding.top
            guard 0 <= y, y < h else { continue }
            for kx in 0..<kw {
              let column = ox * stride + kx - padding.left
              guard 0 <= column, column < w else { continue }
              let base = ((image * h + y) * w + column) * c
              x.values.withUnsafeBufferPointer { a in
                taps.withUnsafeBufferPointer { b in
                  for i in 0..<o {
                    let row = ((ky * kw + kx) * o + i) * c
                    var sum = 0.0
                    for p in 0..<c { sum += Double(a[base + p]) * Double(b[row + p]) }
                    sums[i] += sum
                  }
                }
              }
            }
          }
          for i in 0..<o { values[position + i] = Float(sums[i]) }
          position += o
        }
      }
    }
    return [Tensor(type, values)]
  }

  /// 2 · H' · W' · O · C · kh · kw for every image.
  public func flops(operands: [TensorType], results: [TensorType]) -> Int {
    saturatingProduct(2, results[0].count, operands[1].shape.dropFirst().reduce(1, *))
  }
}

extension Value {
  /// Convolution of this image `[B, H, W, C]` with weight `[O, C, kh, kw]`, plus bias `[O]`.
  public func conv2d(
    _ weight: Value, _ bias: Value? = nil, stride: Int = 1, padding: Padding = Padding(0)
  ) throws(SDError) -> Value {
    let result = try applying(Conv2D(stride: stride, padding: padding), weight)
    guard let bias else { return result }
    return try result.adding(bias)
  }
}
