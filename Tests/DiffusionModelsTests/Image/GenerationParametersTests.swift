import GraphIR
import Testing

@testable import DiffusionModels

struct GenerationParametersTests {
  private func parameters(
    prompt: String = "a red circle", negative: String = "", scheduler: SchedulerName = .eulerAncestral,
    guidance: Float = 7.5, version: String = "1.0"
  ) -> GenerationParameters {
    GenerationParameters(
      prompt: prompt, negativePrompt: negative, steps: 20, scheduler: scheduler, guidanceScale: guidance,
      seed: .max, width: 768, height: 512, modelHash: "0123456789", version: version)
  }

  private func expect(_ code: SDError.Code, _ message: String, reading text: String) {
    #expect(throws: SDError(code, message)) { try GenerationParameters(infotext: text) }
  }

  @Test func text() {
    let fields =
      "Steps: 20, Sampler: Euler a, CFG scale: 7.5, Seed: 18446744073709551615, Size: 768x512, "
      + "Model hash: 0123456789, Version: 1.0"
    #expect(parameters().infotext == "a red circle\n\(fields)")
    #expect(parameters(negative: "blurry").infotext == "a red circle\nNegative prompt: blurry\n\(fields)")
    #expect(parameters(prompt: "").infotext == fields)
    #expect(parameters(guidance: 7).infotext.contains("CFG scale: 7, "))
  }

  @Test func roundTrip() throws {
    let texts = ["", "a, b: c", "two\nlines", "東京 🐎 é", "Steps: 3, Seed: 4", "a \"quoted\" \\ word", "Size"]
    for prompt in texts {
      for negative in texts {
        for version in ["sd 1.0", "a, b", "c: \"d\\e\"\n", ""] {
          let original = parameters(prompt: prompt, negative: negative, guidance: 1.3, version: version)
          #expect(try GenerationParameters(infotext: original.infotext) == original)
        }
      }
    }
    for scheduler in SchedulerName.allCases {
      let original = parameters(scheduler: scheduler)
      #expect(try GenerationParameters(infotext: original.infotext) == original)
    }
  }

  @Test func displayNames() {
    #expect(
      SchedulerName.allCases.map(\.displayName) == [
        "PLMS", "DDIM", "LMS", "Euler", "Euler a", "Heun", "DPM++ 2M", "DPM++ 2M Karras", "UniPC", "LCM",
      ])
  }

  /// As the web UI writes it, with fields that are not ours.
  @Test func foreignText() throws {
    let read = try GenerationParameters(
      infotext: """
        masterpiece, (best quality:1.2)
        <lora:x:0.8>
        Negative prompt: lowres,
        bad hands
        Steps: 30, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 42, Size: 512x768, Model hash: 6ce0161689, \
        Model: v1-5-pruned, TI hashes: "a: 1, b: 2", Clip skip: 2, Version: v1.10.1
        """)
    #expect(
      read
        == GenerationParameters(
          prompt: "masterpiece, (best quality:1.2)\n<lora:x:0.8>", negativePrompt: "lowres,\nbad hands",
          steps: 30,
          scheduler: .dpmSolverKarras, guidanceScale: 7, seed: 42, width: 512, height: 768,
          modelHash: "6ce0161689", version: "v1.10.1"))
  }

  @Test func errors() {
    expect(.invalid, "generation parameters without \"Steps\"", reading: "")
    expect(.invalid, "generation parameters without \"Steps\"", reading: "a cat")
    expect(.invalid, "generation parameters: \"Steps\" must be a number, but is \"x\"", reading: "Steps: x")
    let start = "Steps: 1, CFG scale: 1, Seed: 1, Size:"
    for size in ["", "1", "1x", "1x2x3", "axb"] {
      expect(
        .invalid, "generation parameters: \"Size\" must be WIDTHxHEIGHT, but is \"\(size)\"",
        reading: "\(start) \(size), Sampler: DDIM")
    }
    expect(
      .incompatible, "generation parameters: there is no scheduler for the sampler \"DPM adaptive\"",
      reading: "\(start) 1x1, Sampler: DPM adaptive")
  }
}
