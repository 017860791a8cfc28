/// A sum of convolutions (or matrix products: one tap), what follows it and the group normalizations before it. Made
/// by `FuseConv`, `FuseGEGLU` and `FuseNormalize`.
///
/// `y = epilogueₙ(… epilogue₁(Σ convolution of source i))`. A source reads image x and weight w; an epilogue may read
/// one more operand. The operands are x₁, w₁, x₂, w₂, …, then statistics, gamma and beta of every source that is
/// normalized, then the operands of the epilogues in their order.
///
/// - Sources: x `[B, H, W, C]` with w `[O, C, kh, kw]`, or x `[..., C]` with w `[O, C]` (one tap); all give the same
///   rows `[..., O]` (C1). With `upsample` the window slides over x resized by nearest pixels. With `phases` the result
///   has twice the height and width of x: the pixels of each parity of line and column are a convolution with a kernel
///   of their own, `[O, C, 2, 2]`, and w `[O, C, 8, 2]` holds the four one below the other. With `normalize` what is
///   read is that normalization of x, in the type of x; its padding is zeros all the same.
/// - Epilogues: see `Epilogue` for their operands' shapes (C2).
/// - Result: `[..., O]`, halved by a gate, element type `dtype`. Sums in float32.
public struct FusedConv: FusedOp {
  /// `sd.fused_conv`.
  public static let id = OpID("fused_conv")

  /// One convolution of the sum.
  public struct Source: Hashable, Codable, Sendable {
    /// Pixels from one window to the next.
    public var stride: Int
    /// Zeros around the (resized) image.
    public var padding: Padding
    /// Height and width to which the image is resized first.
    public var upsample: [Int]?
    /// Whether it is four convolutions whose results are interleaved. Pixel (2y + i, 2x + j) of the result reads pixels
    /// (y + i − 1, x + j − 1) … (y + i, x + j) of x through kernel 2i + j; stride and padding have no meaning then.
    public var phases: Bool
    /// What is done with x before anything else.
    public var normalize: Normalize?

    /// A convolution; the default is a matrix product.
    public init(
      stride: Int = 1, padding: Padding = Padding(0), upsample: [Int]? = nil, phases: Bool = false,
      normalize: Normalize? = nil
    ) {
      (self.stride, self.padding, self.upsample, self.phases) = (stride, padding, upsample, phases)
      self.normalize = normalize
    }

    /// The convolution of what is normalized already.
    var plain: Source {
      var plain = self
      plain.normalize = nil
      return plain
    }
  }

  /// What is done with the sum, element by element.
  public enum Epilogue: Hashable, Codable, Sendable {
    /// Adds a vector `[O]`.
    case bias
    /// Adds a vector to every pixel of a sample: `[B, O]` or `[1, O]`.
    case row
    /// Adds a tensor of the sum's own shape.
    case residual
    /// Applies a function.
    case activation(Activation)
    /// Multiplies the first half of the columns by the function of the second half.
    case gate(Activation)

    /// Whether it reads an operand.
    public var hasOperand: Bool {
      switch self {
      case .bias, .row, .residual: true
      case .activation, .gate: false
      }
    }
  }

  /// The convolutions that are summed.
  public var sources: [Source]
  /// What follows, in order.
  public var epilogues: [Epilogue]
  /// The element type of the result.
  public var dtype: DType

  /// A fused convolution.
  public init(sources: [Source], epilogues: [Epilogue] = [], dtype: DType = .f32) {
    (self.sources, self.epilogues, self.dtype) = (sources, epilogues, dtype)
  }

  /// The first operand of each source's normalization, or nil.
  package var normalizationOperands: [Int?] {
    var next = 2 * sources.count
    return sources.map { source in
      defer { if source.normalize != nil { next += 3 } }
      return source.normalize == nil ? nil : next
    }
  }

  /// The first operand of an epilogue.
  package var epilogueOperands: Int { 2 * sources.count + 3 * sources.count { $0.normalize != nil } }

  /// How many operands it takes.
  package var operandCount: Int { epilogueOperands + epilogues.count(where: \.hasOperand) }

  /// Whether it multiplies one half of its columns by the other.
  package var hasGate: Bool { epilogues.contains { if case .gate = $0 { true } else { false } } }

  /// The operands that are added element by element.
  package var residualOperands: Set<Int> {
    let kinds = epilogues.filter(\.hasOperand)
    return Set(kinds.indices.filter { kinds[$0] == .residual }.map { epilogueOperands + $0 })
  }

  /// Checks sources and epilogues in order.
  public func types(of operands: [TensorType]) throws(SDError) -> [TensorType] {
    try expect(operands, count: operandCount)
    guard !sources.isEmpty, dtype.isFloat else { throw reject("needs a source and a floating-point result") }
    var result = try shape(of: sources[0], operands[0], operands[1])
    for (index, source) in sources.enumerated().dropFirst() {
      let other = try shape(of: source, operands[2 * index], operands[2 * index + 1])
      guard other == result else {
        throw reject("source \(index) gives \(other), source 0 gives \(result) (C1)")
      }
    }
    for (index, next) in normalizationOperands.enumerated() {
      guard let next, let norm = sources[index].normalize else { continue }
      _ = try norm.types(of: [operands[2 * index]] + operands[next..<next + 3])
    }
    var next = epilogueOperands
    for epilogue in epilogues {
      var operand = TensorType(.f32, [])
      if epilogue.hasOperand {
        operand = try expectFloat(operands, next)
        next += 1
      }
      try check(epilogue, operand, against: result)
      if case .gate = epilogue { result[result.count - 1] /= 2 }
    }
    return [TensorType(dtype, result)]
  }

  private func shape(of source: Source, _ x: TensorType, _ w: TensorType) throws(SDError) -> [Int] {
    if w.rank == 2 {
      guard x.dtype.isFloat, w.dtype.isFloat, x.rank >= 1, x.lastDimension == w.shape[1],
        source.plain == Source()
      else {
        throw reject("weight \(w) does not fit \(x) (C1)")
      }
      return x.shape.dropLast() + [w.shape[0]]
    }
    if source.phases {
      guard x.dtype.isFloat, w.dtype.isFloat, x.rank == 4, w.rank == 4, w.shape[1] == x.shape[3],
        Array(w.shape[2...]) == [8, 2], source.plain == Source(phases: true)
      else { throw reject("weight \(w) does not fit the phases of \(x) (C1)") }
      return [x.shape[0], 2 * x.shape[1], 2 * x.shape[2], w.shape[0]]
    }
    var image = x
    if let size = source.upsample {
      guard size.count == 2 else { throw reject("upsample must be [height, width], it is \(size)") }
      image = try UpsampleNearest(height: size[0], width: size[1]).types(of: [x])[0]
    }
    return try Conv2D(stride: source.stride, padding: source.padding).types(of: [image, w])[0].shape
  }

  private func check(_ epilogue: Epilogue, _ operand: TensorType, against sum: [Int]) throws(SDError) {
    let columns = sum[sum.count - 1]
    switch epilogue {
    case .bias:
      guard operand.shape == [columns] else {
        throw reject("bias \(operand) must have \(columns) values (C2)")
      }
    case .row:
      guard sum.count >= 2, operand.rank == 2, operand.shape[1] == columns,
        operand.shape[0] == 1 || operand.shape[0] == sum[0]
      else { throw reject("row \(operand) must be [1 or \(sum[0]), \(columns)] (C2)") }
    case .residual:
      guard operand.shape == sum else { throw reject("residual \(operand) must have shape \(sum) (C2)") }
    case .activation: break
    case .gate:
      guard columns % 2 == 0 else {
        throw reject("a gate needs an even number of columns, not \(columns) (C2)")
      }
    }
  }

  /// Takes one part off: the normalizations, or else the last epilogue, or else the last source. One source alone is
  /// the plain operation.
  public func decompose(_ operands: [Value]) throws(SDError) -> [Value] {
    if let plain = try split(operands, hasKernel: { _, _ in false }) { return plain }
    var rest = self
    rest.dtype = .f32
    if let last = rest.epilogues.popLast() {
      let sum = try operands[0].builder.add(rest, operands.dropLast(last.hasOperand ? 1 : 0))
      return [try apply(last, to: sum, operands[operands.count - 1])]
    }
    let source = rest.sources.removeLast()
    let last = try convolution(source, operands[operands.count - 2], operands[operands.count - 1])
    return rest.sources.isEmpty
      ? [last] : [try operands[0].builder.add(rest, operands.dropLast(2)).adding(last)]
  }

  /// Takes the normalizations off.
  package func split(_ operands: [Value], hasKernel: (any Op, [Value]) -> Bool) throws(SDError) -> [Value]? {
    try withoutNormalizations(operands).map { (conv, operands) throws(SDError) in
      [try operands[0].builder.add(conv, operands)]
    }
  }

  /// What is left when the normalizations are ops of their own, and what it reads; nil where there are none.
  func withoutNormalizations(_ operands: [Value]) throws(SDError) -> (conv: FusedConv, operands: [Value])? {
    guard epilogueOperands > 2 * sources.count else { return nil }
    var rest = self
    var plain = Array(operands[..<(2 * sources.count)] + operands[epilogueOperands...])
    for (index, next) in normalizationOperands.enumerated() {
      guard let next, let norm = sources[index].normalize else { continue }
      plain[2 * index] = try operands[2 * index].applying(norm, operands[next], operands[next + 1], operands[next + 2])
      rest.sources[index] = sources[index].plain
    }
    return (rest, plain)
  }

  private func apply(_ epilogue: Epilogue, to sum: Value, _ operand: Value) throws(SDError) -> Value {
    switch epilogue {
    case .bias, .residual: return try sum.adding(operand)
    case .row:
      let ones = [Int](repeating: 1, count: sum.type.rank - 2)
      return try sum.adding(operand.reshaped([operand.shape[0]] + ones + [operand.shape[1]]))
    case .activation(let activation): return try sum.activated(activation)
    case .gate(let activation):
      let half = sum.type.lastDimension / 2
      return try sum.sliced(0..<half).multiplied(by: sum.sliced(half..<2 * half).activated(activation))
    }
  }

  private func convolution(_ source: Source, _ x: Value, _ w: Value) throws(SDError) -> Value {
    if w.type.rank == 2 {
      let rows = try x.reshaped([x.type.rows, x.type.lastDimension]).matmul(w, transposeB: true)
      return try rows.reshaped(x.shape.dropLast() + [w.shape[0]])
    }
    if source.phases { return try phases(x, w) }
    let image = try source.upsample.map { (size) throws(SDError) -> Value in
      try x.upsampleNearest(height: size[0], width: size[1])
    }
    return try (image ?? x).conv2d(w, stride: source.stride, padding: source.padding)
  }

  /// Four convolutions `[B, H, W, O]`, interleaved.
  private func phases(_ x: Value, _ w: Value) throws(SDError) -> Value {
    let (batch, height, width, columns) = (x.shape[0], x.shape[1], x.shape[2], w.shape[0])
    var lines: [Value] = []
    for i in 0..<2 {
      var pixels: [Value] = []
      for j in 0..<2 {
        let kernel = try w.sliced(2 * (2 * i + j)..<2 * (2 * i + j) + 2, axis: 2)
        let padding = Padding(top: 1 - i, left: 1 - j, bottom: i, right: j)
        pixels.append(
          try x.conv2d(kernel, padding: padding).reshaped([batch, height, 1, width, 1, columns]))
      }
      lines.append(try x.builder.concat(pixels, axis: 4))
    }
    return try x.builder.concat(lines, axis: 2).reshaped([batch, 2 * height, 2 * width, columns])
  }

  /// 2 · rows · (taps · C · O) for every source; a pixel of a phase reads one of the four kernels.
  public func flops(operands: [TensorType], results: [TensorType]) -> Int {
    sources.indices.reduce(0) { sum, source in
      let kernel = operands[2 * source + 1].count / (sources[source].phases ? 4 : 1)
      let flops = saturatingProduct(2, results[0].rows, kernel)
      return sum > Int.max - flops ? .max : sum + flops
    }
  }
}
