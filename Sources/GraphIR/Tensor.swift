/// A tensor on the host as the interpreter sees it: every element a Float, whatever the type says.
///
/// Elements of 16-bit types hold values that those types can hold; integers are exact up to 2²⁴.
public struct Tensor: Hashable, Sendable {
  /// Element type and shape.
  public var type: TensorType
  /// The elements, last dimension fastest.
  public var values: [Float]

  /// A tensor of a type; `values` must have that many elements.
  public init(_ type: TensorType, _ values: [Float]) {
    precondition(values.count == type.count, "\(type) has \(type.count) elements, not \(values.count)")
    self.type = type
    self.values = values
  }

  /// A float32 tensor of a shape.
  public init(_ shape: [Int], _ values: [Float]) {
    self.init(TensorType(.f32, shape), values)
  }

  /// The dimensions.
  public var shape: [Int] { type.shape }

  /// The same values rounded to another element type.
  public func cast(to dtype: DType) -> Tensor {
    var result = self
    result.type = type.with(dtype)
    if dtype == .f16 || dtype == .bf16 {
      for i in values.indices { result.values[i] = dtype.rounded(values[i]) }
    }
    return result
  }

  /// Elements to skip for one step along each dimension.
  var strides: [Int] { Tensor.strides(of: shape) }

  static func strides(of shape: [Int]) -> [Int] {
    var strides = [Int](repeating: 1, count: shape.count)
    for axis in shape.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * shape[axis + 1] }
    return strides
  }
}

/// Visits every index of a shape in memory order, together with the offset it has under other strides.
func forEachIndex(of shape: [Int], strides: [Int], _ body: (_ position: Int, _ offset: Int) -> Void) {
  let count = shape.reduce(1, *)
  guard count > 0 else { return }
  var index = [Int](repeating: 0, count: shape.count)
  var offset = 0
  for position in 0..<count {
    body(position, offset)
    var axis = shape.count - 1
    while axis >= 0 {
      index[axis] += 1
      offset += strides[axis]
      if index[axis] < shape[axis] { break }
      offset -= index[axis] * strides[axis]
      index[axis] = 0
      axis -= 1
    }
  }
}
