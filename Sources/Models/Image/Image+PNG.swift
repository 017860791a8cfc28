internal import CPNG
public import GraphIR

extension Image {
  /// The picture as a PNG file.
  ///
  /// - Parameter texts: stored in this order, before the pixels.
  /// - Throws: `.usage` for a keyword that PNG does not allow; `.resources` if libpng cannot encode.
  public func png(texts: [PNGText] = []) throws(SDError) -> [UInt8] {
    var textChunks: [UInt8] = []
    for text in texts {
      guard let chunk = text.chunk else {
        throw SDError(
          .usage, "a keyword of a PNG text is 1 to 79 Latin-1 characters, not \"\(text.keyword.prefix(80))\"")
      }
      textChunks += chunk
    }
    var header = png_image()
    header.version = png_uint_32(PNG_IMAGE_VERSION)
    header.width = png_uint_32(width)
    header.height = png_uint_32(height)
    header.format = png_uint_32(PNG_FORMAT_FLAG_COLOR)
    // Deflate may grow data that it cannot compress, by less than this.
    let raw = height * (3 * width + 1)
    var size = raw + raw / 32 + 4096
    let file = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      let done = png_image_write_to_memory(&header, buffer.baseAddress, &size, 0, pixels, 0, nil)
      count = done == 0 ? 0 : size
    }
    guard !file.isEmpty else {
      throw SDError(.resources, "the picture of \(width)x\(height) cannot be encoded as PNG: \(header.text)")
    }
    let end = PNGChunks.signature.count + 25  // IHDR has 13 bytes of data.
    return file[..<end] + textChunks + file[end...]
  }

  /// Reads a PNG file of any colour type and depth.
  ///
  /// Samples are taken as they are: gray and palettes become RGB, 16 bits 8; alpha is dropped, and colour
  /// profiles are not applied.
  ///
  /// - Parameters:
  ///   - bytes: the file's content.
  ///   - file: its name, for errors.
  /// - Throws: `.invalid` if the file is damaged, `.incompatible` if a side is over `maximumSide`.
  public init(png bytes: [UInt8], file: String) throws(SDError) {
    let chunks = try PNGChunks.read(bytes, file: file)
    guard let first = chunks.first, first.type == "IHDR", first.data.count == 13 else {
      throw SDError(.invalid, "\(file): the PNG file does not start with its header")
    }
    let width = Int(first.data.bigEndian(at: first.data.startIndex))
    let height = Int(first.data.bigEndian(at: first.data.startIndex + 4))
    guard width > 0, height > 0 else {
      throw SDError(.invalid, "\(file): a PNG picture of \(width)x\(height) has no pixels")
    }
    guard width <= Self.maximumSide, height <= Self.maximumSide else {
      throw SDError(
        .incompatible,
        "\(file): the picture is \(width)x\(height), the limit is \(Self.maximumSide)x\(Self.maximumSide)")
    }
    // Without the other chunks libpng neither converts colours nor replaces transparent ones.
    let kept = chunks.filter { ["IHDR", "PLTE", "IDAT", "IEND"].contains($0.type) }
    var header = png_image()
    header.version = png_uint_32(PNG_IMAGE_VERSION)
    var samples: [UInt8] = []
    // libpng reads from the buffer until the end, not only when it is given it.
    let done = (PNGChunks.signature + kept.flatMap(\.bytes)).withUnsafeBytes { plain in
      guard png_image_begin_read_from_memory(&header, plain.baseAddress, plain.count) != 0 else {
        return false
      }
      header.format = png_uint_32(PNG_FORMAT_FLAG_COLOR | PNG_FORMAT_FLAG_ALPHA)
      header.flags |= png_uint_32(PNG_IMAGE_FLAG_16BIT_sRGB)
      samples = [UInt8](repeating: 0, count: 4 * width * height)
      return png_image_finish_read(&header, nil, &samples, 0, nil) != 0
    }
    png_image_free(&header)
    guard done else { throw SDError(.invalid, "\(file): the PNG file is damaged: \(header.text)") }
    var pixels = [UInt8](repeating: 0, count: 3 * width * height)
    for i in 0..<(width * height) {
      for channel in 0..<3 { pixels[3 * i + channel] = samples[4 * i + channel] }
    }
    try self.init(width: width, height: height, pixels: pixels)
  }

  /// The texts of a PNG file in order; compressed ones are left out.
  ///
  /// - Throws: `.invalid` if the file is damaged.
  public static func texts(png bytes: [UInt8], file: String) throws(SDError) -> [PNGText] {
    try PNGChunks.read(bytes, file: file).compactMap(PNGText.init)
  }
}

extension png_image {
  /// libpng's account of what went wrong.
  fileprivate var text: String {
    withUnsafeBytes(of: message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }
}
