import Foundation
public import GraphIR

extension Encodable {
  /// The value as one line of JSON with sorted keys.
  ///
  /// - Throws: `SDError` (numerics) for a number that JSON cannot hold.
  public func json() throws(SDError) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return String(decoding: try encoder.encode(self), as: UTF8.self)
    } catch {
      throw SDError(.numerics, "the report cannot be written as JSON: \(error)")
    }
  }
}
