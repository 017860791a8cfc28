public import GraphIR

/// A picture of 8-bit RGB samples.
public struct Image: Hashable, Sendable {
  /// Pixels in a row.
  public let width: Int
  /// Rows.
  public let height: Int
  /// Samples [height, width, 3], the top row first.
  public let pixels: [UInt8]

  /// The greatest width and height, as read and written.
  public static let maximumSide = 16_384

  /// A picture from its samples [height, width, 3].
  ///
  /// - Throws: `.usage` if a side is not 1 to `maximumSide` or the number of samples is not theirs.
  public init(width: Int, height: Int, pixels: [UInt8]) throws(SDError) {
    try Self.checkSize(width, height, samples: pixels.count)
    self.width = width
    self.height = height
    self.pixels = pixels
  }

  /// A picture from the output of a VAE decoder: (x/2 + 0.5) clamped to 0…1, times 255, rounded half to even.
  ///
  /// - Parameters:
  ///   - decoded: one picture [3, height, width], nominally -1 to 1.
  ///   - width: pixels in a row.
  ///   - height: rows.
  /// - Throws: `.usage` as `init(width:height:pixels:)`; `.numerics` if a value is NaN.
  public init(decoded: [Float], width: Int, height: Int) throws(SDError) {
    try Self.checkSize(width, height, samples: decoded.count)
    let plane = width * height
    var pixels = [UInt8](repeating: 0, count: decoded.count)
    for i in 0..<plane {
      for channel in 0..<3 {
        let value = decoded[channel * plane + i]
        guard !value.isNaN else {
          throw SDError(
            .numerics, "the decoded picture is not a number at [\(channel), \(i / width), \(i % width)]")
        }
        let sample = min(max(value / 2 + 0.5, 0), 1) * 255
        pixels[3 * i + channel] = UInt8(sample.rounded(.toNearestOrEven))
      }
    }
    self.width = width
    self.height = height
    self.pixels = pixels
  }

  private static func checkSize(_ width: Int, _ height: Int, samples: Int) throws(SDError) {
    guard (1...maximumSide).contains(width), (1...maximumSide).contains(height) else {
      throw SDError(
        .usage, "a picture is 1 to \(maximumSide) pixels wide and high, this one \(width)x\(height)")
    }
    guard samples == 3 * width * height else {
      throw SDError(
        .usage, "a picture of \(width)x\(height) has \(3 * width * height) samples, \(samples) were given")
    }
  }
}
