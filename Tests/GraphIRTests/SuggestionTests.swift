import Testing

@testable import GraphIR

@Suite struct SuggestionTests {
  private let names = ["pndm", "ddim", "lms", "euler", "euler-a", "heun", "dpm++2m", "unipc"]

  @Test(arguments: [
    ("eular", "euler"), ("Euler", "euler"), ("Euler a", "euler-a"), ("dpmpp2m", "dpm++2m"),
    ("unpic", "unipc"),
    ("pdnm", "pndm"), ("lsm", "lms"),
  ])
  func nearestName(word: String, expected: String) {
    #expect(nearest(to: word, in: names) == expected)
  }

  @Test(arguments: ["", "x", "turbo", "karras", "abc"])
  func nothingNear(word: String) {
    #expect(nearest(to: word, in: names) == nil)
  }
}
