/// What is known of a tensor before it exists: element type and shape. Printed as `f32[2, 64, 64, 320]`.
public struct TensorType: Hashable, Sendable, CustomStringConvertible {
  /// The type of the elements.
  public var dtype: DType
  /// The dimensions, outermost first; a scalar has none.
  public var shape: [Int]

  /// A type from its element type and dimensions.
  public init(_ dtype: DType, _ shape: [Int]) {
    self.dtype = dtype
    self.shape = shape
  }

  /// Number of dimensions.
  public var rank: Int { shape.count }

  /// Number of elements. Types that passed `checked` never overflow it.
  public var count: Int { shape.reduce(1, *) }

  /// Bytes of the dense tensor.
  public var byteCount: Int { count * dtype.size }

  /// The last dimension, the one that is contiguous in memory (1 for a scalar).
  public var lastDimension: Int { shape.last ?? 1 }

  /// Number of rows when all dimensions but the last are taken together.
  public var rows: Int { shape.dropLast().reduce(1, *) }

  /// The same shape with another element type.
  public func with(_ dtype: DType) -> TensorType { TensorType(dtype, shape) }

  /// The same element type with another shape.
  public func with(shape: [Int]) -> TensorType { TensorType(dtype, shape) }

  /// The type itself when rank ≤ 8, every dimension is in 0 ..< 2³¹ and its bytes fit in an `Int` (V7).
  public func checked() -> TensorType? {
    guard rank <= 8 else { return nil }
    var bytes = dtype.size
    for dimension in shape {
      guard dimension >= 0, dimension < 1 << 31 else { return nil }
      let (product, overflow) = bytes.multipliedReportingOverflow(by: max(dimension, 1))
      if overflow { return nil }
      bytes = product
    }
    return self
  }

  /// `f32[2, 64, 64, 320]`; a scalar is `f32[]`.
  public var description: String {
    "\(dtype.rawValue)[\(shape.map(String.init).joined(separator: ", "))]"
  }
}

extension TensorType: Codable {
  /// The type that `description` prints so; nil for any other text and for a type that fails `checked`.
  public init?(_ text: some StringProtocol) {
    guard text.last == "]", let bracket = text.firstIndex(of: "["),
      let dtype = DType(rawValue: String(text[..<bracket]))
    else { return nil }
    let list = text[text.index(after: bracket)...].dropLast()
    var shape: [Int] = []
    if !list.isEmpty {
      for dimension in list.split(separator: ", ", omittingEmptySubsequences: false) {
        guard shape.count < 8, let value = Int(dimension) else { return nil }
        shape.append(value)
      }
    }
    self.init(dtype, shape)
    guard checked() != nil, description == text else { return nil }
  }

  /// Reads the text that `description` prints.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let type = TensorType(text) else {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "'\(text)' is not a tensor type like f32[2, 3]")
    }
    self = type
  }

  /// Writes `description`.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}
