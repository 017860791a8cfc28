import GraphIR
import TestSupport
import Testing

@Suite struct ChannelStatisticsTests {
  @Test func types() throws {
    #expect(
      try resultType(TensorType(.f16, [2, 3, 4, 5])) { (v) throws(SDError) in
        try v[0].channelStatistics(parts: 12)
      }
        == TensorType(.f32, [12, 2, 5, 2]))
    for parts in [0, -1, 13] {
      expectReject(
        TensorType(.f16, [2, 3, 4, 5]),
        sentence: "[sd.channel_statistics] parts (\(parts)) must be in 1 ... 12 for f16[2, 3, 4, 5] (C1)"
      ) { (v) throws(SDError) in try v[0].channelStatistics(parts: parts) }
    }
    expectReject(
      TensorType(.f16, [1, 1 << 20, 1]),
      sentence: "[sd.channel_statistics] parts (65537) must be in 1 ... 65536 for f16[1, 1048576, 1] (C1)"
    ) { (v) throws(SDError) in try v[0].channelStatistics(parts: 65_537) }
  }

  /// 7 pixels in 2 parts: 0 ..< 3 and 3 ..< 7.
  @Test func values() throws {
    let x = Tensor([1, 7, 2], [1, 0, 2, 0, 3, 0, 10, 1, 20, 1, 30, 1, 40, 5])
    let y = try evaluate(x) { (v) throws(SDError) in try v[0].channelStatistics(parts: 2) }
    #expect(y == Tensor([2, 1, 2, 2], [2, 2, 0, 0, 25, 500, 2, 12]))
  }

  @Test func rangesCoverThePixels() {
    for (pixels, parts) in [(7, 2), (4096, 16), (5, 5), (100, 7)] {
      let ranges = (0..<parts).map { ChannelStatistics.range(part: $0, of: parts, pixels: pixels) }
      #expect(ranges.flatMap(Array.init) == Array(0..<pixels))
      #expect(ranges.allSatisfy { (pixels / parts...pixels / parts + 1).contains($0.count) })
    }
  }
}
