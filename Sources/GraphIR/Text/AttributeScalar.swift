/// A type that one literal of the text form holds.
protocol AttributeScalar: Codable {
  /// The value of a literal; nil when it is of another kind or out of range.
  init?(attribute: Attribute)
  /// The shortest literal that gives the value back.
  var attribute: Attribute { get }
}

extension Bool: AttributeScalar {
  init?(attribute: Attribute) {
    guard case .bool(let value) = attribute else { return nil }
    self = value
  }

  var attribute: Attribute { .bool(self) }
}

extension String: AttributeScalar {
  init?(attribute: Attribute) {
    guard case .string(let value) = attribute else { return nil }
    self = value
  }

  var attribute: Attribute { .string(self) }
}

extension AttributeScalar where Self: FixedWidthInteger {
  init?(attribute: Attribute) {
    guard case .number(let literal) = attribute else { return nil }
    self.init(literal, radix: 10)
  }

  var attribute: Attribute { .number(String(self)) }
}

extension AttributeScalar where Self: BinaryFloatingPoint & LosslessStringConvertible {
  init?(attribute: Attribute) {
    guard case .number(let literal) = attribute, let value = Self(literal) else { return nil }
    // The standard library reads 1e999 as infinity; only `inf` means it here.
    guard value.isFinite || literal.hasSuffix("inf") || literal == "nan" else { return nil }
    self = value
  }

  var attribute: Attribute { .number(isNaN ? "nan" : description) }
}

extension Int: AttributeScalar {}
extension Int8: AttributeScalar {}
extension Int16: AttributeScalar {}
extension Int32: AttributeScalar {}
extension Int64: AttributeScalar {}
extension UInt: AttributeScalar {}
extension UInt8: AttributeScalar {}
extension UInt16: AttributeScalar {}
extension UInt32: AttributeScalar {}
extension UInt64: AttributeScalar {}
@available(macOS 15, *) extension Int128: AttributeScalar {}
@available(macOS 15, *) extension UInt128: AttributeScalar {}
extension Float: AttributeScalar {}
extension Double: AttributeScalar {}
