import CKernels
import Testing

@testable import GraphRuntime

@Suite struct AvailableProcessorsTests {
  /// A control group's share of time, in whole processors.
  @Test(
    arguments: [
      ("200000 100000\n", 2), ("150000 100000\n", 2), ("1 100000\n", 1), ("9223372036854775807 1\n", .max),
      ("max 100000\n", nil), ("0 100000\n", nil), ("100000 0\n", nil), ("-1 100000\n", nil), ("100000", nil), ("", nil),
    ] as [(String, Int?)])
  func quota(text: String, processors: Int?) { #expect(AvailableProcessors.quota(text) == processors) }

  @Test func count() {
    #expect(AvailableProcessors.quota(nil) == nil)
    #expect((1...Int(ck_processors())).contains(AvailableProcessors.count))
  }
}
