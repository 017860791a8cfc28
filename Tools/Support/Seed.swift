public import GraphIR

/// Reads seeds of command lines.
public enum Seed {
  /// A seed from its digits.
  ///
  /// - Throws: `SDError` (usage) with the range for anything else.
  public static func parse(_ text: String) throws(SDError) -> UInt64 {
    guard let seed = UInt64(text) else {
      throw SDError(.usage, "a seed must be in 0 ... \(UInt64.max), it is '\(text)'")
    }
    return seed
  }
}
