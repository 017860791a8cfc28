import GraphIR
import Testing

@testable import DiffusionModels

struct ImageTests {
  /// A 2x1 picture: channel planes in, interleaved samples out.
  @Test func decoded() throws {
    let image = try Image(decoded: [-1, 1, 0, -2, 3, .infinity], width: 2, height: 1)
    #expect(image.pixels == [0, 128, 255, 255, 0, 255])
  }

  /// Halves go to the even neighbour: 0.5 -> 0, 1.5 -> 2, 2.5 -> 2.
  @Test func rounding() throws {
    let values: [Float] = [-1 + 1 / 255, -1 + 3 / 255, -1 + 5 / 255]
    let products = values.map { min(max($0 / 2 + 0.5, 0), 1) * 255 }
    let image = try Image(decoded: values, width: 1, height: 1)
    #expect(image.pixels == products.map { UInt8($0.rounded(.toNearestOrEven)) })
    #expect(try Image(decoded: [0, 0, 0], width: 1, height: 1).pixels == [128, 128, 128])  // 127.5
  }

  @Test func errors() {
    #expect(throws: SDError(.numerics, "the decoded picture is not a number at [1, 0, 1]")) {
      try Image(decoded: [0, 0, 0, .nan, 0, 0], width: 2, height: 1)
    }
    #expect(throws: SDError(.usage, "a picture of 2x2 has 12 samples, 11 were given")) {
      try Image(width: 2, height: 2, pixels: Array(repeating: 0, count: 11))
    }
    #expect(throws: SDError(.usage, "a picture is 1 to 16384 pixels wide and high, this one 0x1")) {
      try Image(width: 0, height: 1, pixels: [])
    }
    #expect(throws: SDError(.usage, "a picture is 1 to 16384 pixels wide and high, this one 1x\(Int.max)")) {
      try Image(decoded: [], width: 1, height: .max)
    }
  }
}
