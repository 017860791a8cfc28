import Foundation
import GraphIR
import TestSupport
import Testing

@testable import DiffusionModels

struct PNGTests {
  private static let fixtures = URL(filePath: fixture("image"))

  private func picture(width: Int, height: Int, seed: UInt64 = 1) throws -> Image {
    var generator = SplitMix64(seed: seed)
    let pixels = (0..<(3 * width * height)).map { _ in UInt8.random(in: 0...255, using: &generator) }
    return try Image(width: width, height: height, pixels: pixels)
  }

  private func expect(_ code: SDError.Code, _ message: String, reading bytes: [UInt8]) {
    #expect(throws: SDError(code, message)) { try Image(png: bytes, file: "a.png") }
  }

  @Test(arguments: [(1, 1), (7, 3), (64, 64), (1, 300), (500, 1), (400, 300)])
  func roundTrip(width: Int, height: Int)
    throws
  {
    let image = try picture(width: width, height: height)
    #expect(try Image(png: image.png(), file: "a.png") == image)
    #expect(try image.png() == image.png())
  }

  /// Every colour type and depth, made by Tools/reference/images.py.
  @Test func colourTypes() throws {
    let expected = try JSONDecoder().decode(
      [String: [UInt8]].self, from: Data(contentsOf: Self.fixtures.appending(path: "expected.json")))
    #expect(expected.count == 21)
    for (name, pixels) in expected {
      let bytes = try [UInt8](Data(contentsOf: Self.fixtures.appending(path: "\(name).png")))
      let image = try Image(png: bytes, file: name)
      #expect(image.width == 7 && image.height == 5)
      #expect(image.pixels == pixels, "\(name)")
    }
  }

  @Test func texts() throws {
    let texts = [
      PNGText(keyword: "parameters", text: "a café\nSteps: 1"), PNGText(keyword: "clé", text: "東京 🐎"),
      PNGText(keyword: "empty", text: ""),
    ]
    let bytes = try picture(width: 2, height: 2).png(texts: texts)
    #expect(try Image.texts(png: bytes, file: "a.png") == texts)
    #expect(try Image(png: bytes, file: "a.png") == picture(width: 2, height: 2))
    let types = try PNGChunks.read(bytes, file: "a.png").map(\.type)
    #expect(types.prefix(4) == ["IHDR", "tEXt", "iTXt", "tEXt"])
  }

  /// The bytes that other programs read, by the specification (CRCs from zlib).
  @Test func textBytes() {
    #expect(
      PNGText(keyword: "k", text: "é").chunk
        == [0, 0, 0, 3] + Array("tEXtk".utf8) + [0, 0xE9] + [0xAB, 0xB4, 0x7D, 0x45])
    #expect(
      PNGText(keyword: "k", text: "東").chunk
        == [0, 0, 0, 9] + Array("iTXtk".utf8) + [0, 0, 0, 0, 0, 0xE6, 0x9D, 0xB1] + [0x8F, 0x60, 0x2A, 0xE2])
  }

  @Test func textLimits() throws {
    #expect(
      try Image.texts(
        png: picture(width: 1, height: 1).png(texts: [.init(keyword: "k", text: "a\0b")]), file: "")
        == [PNGText(keyword: "k", text: "a\u{FFFD}b")])
    for keyword in ["", "東", "a\0b", String(repeating: "k", count: 80)] {
      let message = "a keyword of a PNG text is 1 to 79 Latin-1 characters, not \"\(keyword)\""
      #expect(throws: SDError(.usage, message)) {
        try picture(width: 1, height: 1).png(texts: [PNGText(keyword: keyword, text: "")])
      }
    }
  }

  @Test func damagedFiles() throws {
    let png = try picture(width: 9, height: 9).png()
    expect(.invalid, "a.png: not a PNG file, the signature is missing", reading: [])
    expect(.invalid, "a.png: not a PNG file, the signature is missing", reading: Array("GIF89a".utf8))
    expect(.invalid, "a.png: the PNG file ends inside the chunk at byte 33", reading: Array(png[..<40]))
    expect(
      .invalid, "a.png: the PNG file ends inside the chunk at byte 8",
      reading: png[..<8] + [0xFF, 0xFF, 0xFF, 0xFF] + png[12...])
    var flipped = png
    flipped[20] ^= 1
    expect(.invalid, "a.png: the PNG chunk at byte 8 is damaged, its checksum is wrong", reading: flipped)
    expect(
      .invalid, "a.png: the PNG file does not start with its header",
      reading: PNGChunks.signature + PNGChunks.make("IEND", []))
    for end in png.indices {
      #expect(throws: SDError.self) { try Image(png: Array(png[..<end]), file: "a.png") }
    }
  }

  /// Chunks with right checksums and wrong content.
  @Test func invalidContent() {
    func file(_ header: [UInt8], _ data: [UInt8]) -> [UInt8] {
      PNGChunks.signature + PNGChunks.make("IHDR", header) + PNGChunks.make("IDAT", data)
        + PNGChunks.make("IEND", [])
    }
    func header(_ width: [UInt8], _ height: [UInt8], depth: UInt8 = 8, kind: UInt8 = 2) -> [UInt8] {
      width + height + [depth, kind, 0, 0, 0]
    }
    let one: [UInt8] = [0, 0, 0, 1]
    expect(
      .invalid, "a.png: a PNG picture of 0x1 has no pixels", reading: file(header([0, 0, 0, 0], one), []))
    expect(
      .incompatible, "a.png: the picture is 1x16385, the limit is 16384x16384",
      reading: file(header(one, [0, 0, 0x40, 1]), []))
    expect(
      .incompatible, "a.png: the picture is 4294967295x1, the limit is 16384x16384",
      reading: file(header([255, 255, 255, 255], one), []))
    for bytes in [
      file(header(one, one), []), file(header(one, one), [1, 2, 3]), file(header(one, one, depth: 3), []),
      file(header(one, one, kind: 3), []), file(header(one, one, kind: 9), []),
    ] {
      #expect { try Image(png: bytes, file: "a.png") } throws: { error in
        let error = error as? SDError
        return error?.code == .invalid && error?.message.hasPrefix("a.png: the PNG file is damaged: ") == true
      }
    }
  }

  /// Random damage behind right checksums: an error or a picture, never a trap.
  @Test func fuzzedContent() throws {
    var generator = SplitMix64(seed: 2)
    let chunks = try PNGChunks.read(
      picture(width: 20, height: 20).png(texts: [.init(keyword: "k", text: "東")]), file: "")
    for _ in 0..<500 {
      var file = PNGChunks.signature
      for chunk in chunks {
        var data = Array(chunk.data)
        if let place = data.indices.randomElement(using: &generator), place != 0, place != 4,
          chunk.type != "IHDR" || place > 7
        {
          data[place] = UInt8.random(in: 0...255, using: &generator)
        }
        file += PNGChunks.make(chunk.type, data)
      }
      _ = try? Image(png: file, file: "a.png")
      _ = try? Image.texts(png: file, file: "a.png")
    }
  }
}
