import DiffusionModels
import GraphIR
import TestSupport
import Testing

struct ComponentTests {
  @Test func lists() throws {
    #expect(try Component.list("all") == Component.allCases)
    #expect(try Component.list("vae_decoder,unet,unet") == [.unet, .vaeDecoder])
    expectError(.usage, "no component is named") { try Component.list("") }
    expectError(
      .usage, "unknown component 'vae_decode'",
      hint: "Did you mean 'vae_decoder'? The components are text_encoder, unet, vae_decoder, vae_encoder."
    ) {
      try Component.list("unet,vae_decode")
    }
  }

  @Test(arguments: [
    ("", "a size is HEIGHTxWIDTH in pixels, such as 512x512; got ''"),
    ("512", "a size is HEIGHTxWIDTH in pixels, such as 512x512; got '512'"),
    ("512x", "a size is HEIGHTxWIDTH in pixels, such as 512x512; got '512x'"),
    ("5x5x5", "a size is HEIGHTxWIDTH in pixels, such as 512x512; got '5x5x5'"),
    ("512X512", "a size is HEIGHTxWIDTH in pixels, such as 512x512; got '512X512'"),
    ("99999999999999999999x8", "a size is HEIGHTxWIDTH in pixels, such as 512x512; got '99999999999999999999x8'"),
    ("-8x8", "height and width must be in 8 ... 16384 pixels, they are -8 and 8"),
    ("8x16392", "height and width must be in 8 ... 16384 pixels, they are 8 and 16392"),
  ])
  func sizesThatAreNone(text: String, message: String) {
    expectError(.usage, message) { try PictureSize(text) }
  }

  @Test func sizes() throws {
    let size = try PictureSize("512x768")
    #expect((size.height, size.width) == (512, 768))
    #expect("\(size)" == "512x768")
    try size.check(factor: 8)
    expectError(
      .usage, "height and width must be multiples of 8, they are 9 and 84", hint: "The nearest size is 8x88."
    ) {
      try PictureSize("9x84").check(factor: 8)
    }
    expectError(
      .usage, "height and width must be multiples of 64, they are 8 and 100", hint: "The nearest size is 64x128."
    ) {
      try PictureSize("8x100").check(factor: 64)
    }
  }
}
