/// An elementwise function that fused ops can apply to what they computed.
public enum Activation: String, Codable, Hashable, Sendable, CaseIterable {
  /// x · sigmoid(x).
  case silu
  /// x · Φ(x), by the error function.
  case gelu
  /// x · sigmoid(1.702 x).
  case quickGELU = "quick_gelu"
}

extension Value {
  /// Applies an activation; nil is the identity.
  public func activated(_ activation: Activation?) throws(SDError) -> Value {
    switch activation {
    case nil: self
    case .silu: try silu()
    case .gelu: try gelu()
    case .quickGELU: try quickGELU()
    }
  }
}
