package import GraphIR
package import Testing

/// The normalized mean square error ‖a − b‖² / ‖b‖² in float64; 0 when both are zero, NaN when an element is.
package func nmse(_ a: [Float], _ b: [Float]) -> Double {
  var (error, norm) = (0.0, 0.0)
  for (x, y) in zip(a, b) where x != y {  // equal infinities differ by nothing
    error += (Double(x) - Double(y)) * (Double(x) - Double(y))
  }
  for y in b where y.isFinite || y.isNaN { norm += Double(y) * Double(y) }
  return error == 0 ? 0 : error / norm
}

/// Expects tensors of one shape whose normalized mean square error is at most `limit`; NaN fails.
package func expectClose(
  _ a: Tensor, _ b: Tensor, nmse limit: Double = 1e-12, sourceLocation: SourceLocation = #_sourceLocation
) {
  guard a.shape == b.shape else {
    Issue.record("shape is \(a.shape), expected \(b.shape)", sourceLocation: sourceLocation)
    return
  }
  let error = nmse(a.values, b.values)
  if error <= limit { return }
  let worst = a.values.indices.max { difference(a, b, $0) < difference(a, b, $1) } ?? 0
  let index = Tensor.index(worst, in: a.shape)
  Issue.record(
    "NMSE \(error) exceeds \(limit); worst at \(index): \(a.values[worst]), expected \(b.values[worst])",
    sourceLocation: sourceLocation)
}

private func difference(_ a: Tensor, _ b: Tensor, _ index: Int) -> Float {
  let difference = abs(a.values[index] - b.values[index])
  return difference.isNaN ? .infinity : difference
}

/// Expects an `SDError` of a family whose message (and hint, where given) is this text, word for word.
package func expectError<Result>(
  _ code: SDError.Code, _ message: String, hint: String? = nil,
  sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Result
) {
  do {
    let result = try body()
    Issue.record("no error, but \(result); expected \(message)", sourceLocation: sourceLocation)
  } catch let error as SDError {
    #expect(error.message == message, sourceLocation: sourceLocation)
    #expect(error.code == code, sourceLocation: sourceLocation)
    if let hint { #expect(error.hint == hint, sourceLocation: sourceLocation) }
  } catch {
    Issue.record("\(error) is no SDError", sourceLocation: sourceLocation)
  }
}

/// The error that `body` throws, nil if it returns.
package func failure<Result>(_ body: () throws -> Result) -> SDError? {
  do {
    _ = try body()
    return nil
  } catch {
    return error as? SDError
  }
}
