import GraphIR
import TestSupport
import Testing

/// The shared checks can fail.
@Suite struct SupportTests {
  @Test func nmseIsRelative() {
    #expect(nmse([1, 2], [1, 2]) == 0)
    #expect(nmse([0, 0], [0, 0]) == 0)
    #expect(nmse([3, 1], [3, 2]) == 1.0 / 13)
    #expect(nmse([.infinity, 1], [.infinity, 1]) == 0)
    #expect(nmse([.nan], [.nan]).isNaN)
    #expect(nmse([1], [0]) == .infinity)
  }

  @Test func expectCloseFails() {
    let x = Tensor([2, 2], [1, 2, 3, 4])
    expectClose(x, x, nmse: 0)
    withKnownIssue {
      expectClose(x, Tensor([2, 2], [1, 2, 3, 4.01]))
    } matching: {
      $0.description.contains("worst at [1, 1]: 4.0, expected 4.01")
    }
    withKnownIssue { expectClose(x, Tensor([4], x.values)) }
    withKnownIssue { expectClose(Tensor([1], [.nan]), Tensor([1], [.nan])) }
  }

  @Test func expectErrorFails() {
    func fail() throws { throw SDError(.usage, "message", hint: "hint") }
    expectError(.usage, "message", hint: "hint") { try fail() }
    withKnownIssue { expectError(.invalid, "message") { try fail() } }
    withKnownIssue { expectError(.usage, "Message") { try fail() } }
    withKnownIssue { expectError(.usage, "message", hint: "other") { try fail() } }
    withKnownIssue { expectError(.usage, "message") {} }
    withKnownIssue { expectError(.usage, "message") { throw CancellationError() } }
  }

  @Test func seedsRepeat() {
    #expect(Tensor.random([5], seed: 1) == Tensor.random([5], seed: 1))
    #expect(Tensor.random([5], seed: 1) != Tensor.random([5], seed: 2))
    let half = Tensor.random(TensorType(.f16, [50]), seed: 1)
    #expect(half.values == half.values.map { Float(Float16($0)) })
  }
}
