import DiffusionModels
import Foundation
import GraphIR
import GraphPasses
import GraphRuntime
import TestSupport
import Testing

/// `sd-run` as a person calls it.
struct RunTests {
  private let golden: Golden
  private let plan: String

  init() throws {
    golden = try MicroModel.sd15.golden()
    plan = try MicroModel.sd15.plan()
  }

  /// Draws with the golden's prompt and seed; returns the bytes of the files that appeared, by name.
  private func draw(
    _ arguments: String..., plan: String? = nil, environment: [String: String] = [:],
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> [String: [UInt8]] {
    try withTemporaryFolder { folder in
      let fixed = [
        "--prompt", golden.prompt, "--seed", "\(golden.seed)", "--steps", "4", "-o", "\(folder)/out.png", "--quiet",
      ]
      let arguments = arguments.map { $0.replacing("FOLDER", with: folder) }
      let outcome = try ToolProcess("sd-run", [plan ?? self.plan] + fixed + arguments, environment: environment).wait()
      #expect(outcome.status == 0, "\(outcome.errors)", sourceLocation: sourceLocation)
      #expect(outcome.errors == "", sourceLocation: sourceLocation)
      return entries(of: folder).reduce(into: [:]) { $0[$1] = get("\(folder)/\($1)") }
    }
  }

  /// The picture, and the parameters that drew it.
  @Test func picture() throws {
    let file = try #require(try draw("--negative-prompt", "blur", "--scheduler", "ddim")["out.png"])
    let image = try Image(png: file, file: "out.png")
    var request = golden.request(golden.runs[0])
    (request.steps, request.scheduler, request.negativePrompt, request.guidanceScale) = (4, .ddim, "blur", 7.5)
    let compiled = try MicroModel.sd15.compiled()
    #expect(try StableDiffusion(compiled).generate(request)[0].image == image)
    let text = try #require(try Image.texts(png: file, file: "out.png").first { $0.keyword == "parameters" }).text
    #expect(
      text == """
        a photograph of an astronaut riding a horse
        Negative prompt: blur
        Steps: 4, Sampler: DDIM, CFG scale: 7.5, Seed: 32, Size: 56x72, Model hash: \(compiled.shortID), Version: 0.1.0
        """)
  }

  /// Threads, mapping and the reader of the file change no byte.
  @Test func sameBytes() throws {
    let one = try draw("--threads", "1")
    #expect(one.keys.sorted() == ["out.png"])
    for arguments in [
      ["--threads", "2"], ["--threads", "3"], ["--threads", "7"], ["--no-mmap"], ["--device", "cpu"],
    ] {
      #expect(try draw(arguments[0], arguments.count > 1 ? arguments[1] : "--quiet") == one, "\(arguments)")
    }
  }

  /// Other instruction sets need weights in other layouts: they are re-packed in memory.
  @Test(arguments: CPU.Level.allCases) func levels(level: CPU.Level) throws {
    guard (try? CPU(level)) != nil else { return }
    try withTemporaryFolder { folder in
      let best = try draw("--latents-out", "FOLDER/latents")
      let other = try draw("--latents-out", "FOLDER/latents", environment: ["SD_CPU": level.rawValue])
      #expect(other.keys.sorted() == ["latents", "out.png"])
      for (name, files) in ["a": best, "b": other] { put(files["latents"] ?? [], "\(folder)/\(name)") }
      let latents = try ["a", "b"].map { try TensorFile.latents("\(folder)/\($0)") }
      #expect(nmse(latents[1].values, latents[0].values) <= 1e-10)
    }
  }

  @Test func severalPictures() throws {
    let files = try draw("--num-images", "3", "--latents-out", "FOLDER/latents")
    #expect(files.keys.sorted() == ["latents", "out-0.png", "out-1.png", "out-2.png"])
    for index in 0..<3 {
      #expect(try draw("--seed", "\(golden.seed + UInt64(index))")["out.png"] == files["out-\(index).png"])
    }
  }

  @Test func previews() throws {
    let files = try draw("--preview-every", "3")
    #expect(files.keys.sorted() == ["out.png", "out.preview.png"])
    #expect(try Image(png: files["out.preview.png"] ?? [], file: "preview").width == 56)
  }

  /// The end of one run is no start for another, but unit noise is: the seed's own draws the seed's picture.
  @Test func latents() throws {
    try withTemporaryFolder { folder in
      var generator = TorchGenerator(seed: golden.seed)
      try TensorFile.write(["latents": Tensor([1, 4, 9, 7], generator.randn(252))], to: "\(folder)/noise")
      let plain = try draw("--latents-out", "FOLDER/latents")
      let given = try draw("--latents-out", "FOLDER/latents", "--latents-in", "\(folder)/noise")
      #expect(plain == given)
      try expectRefusal(
        "sd-run", [plan, "--prompt", "x", "--latents-in", "\(folder)/noise", "--num-images", "2"], 2,
        "latents must be f32[2, 4, 9, 7] for 2 pictures of 72x56, they are f32[1, 4, 9, 7]")
      try TensorFile.write(["latent": Tensor([1], [0])], to: "\(folder)/noise")
      try expectRefusal(
        "sd-run", [plan, "--prompt", "x", "--latents-in", "\(folder)/noise"], 4,
        "\(folder)/noise: there is no tensor \"latents\"\n  Did you mean \"latent\"?")
      try expectRefusal(
        "sd-run", [plan, "--prompt", "x", "--latents-in", "\(folder)/none"], 3,
        "\(folder)/none: the file does not exist")
    }
  }

  @Test func sizes() throws {
    let both = try MicroModel.sd15.plan(.init(sizes: [Golden.size, PictureSize(height: 64, width: 64)]))
    #expect(try Image(png: draw("--size", "64x64", plan: both)["out.png"] ?? [], file: "out.png").height == 64)
    let first = try Image(png: draw(plan: both)["out.png"] ?? [], file: "out.png")
    #expect((first.height, first.width) == (72, 56))
  }

  @Test(arguments: Golden.components)
  func components(name: String, inputs: [String: String], outputs: [String: String]) throws {
    try withTemporaryFolder { folder in
      try golden.write(inputs, to: "\(folder)/in")
      for device in ["cpu", "reference"] {
        let outcome = try ToolProcess.run(
          "sd-run", plan, "--component", name, "--inputs", "\(folder)/in", "--outputs", "\(folder)/out", "--device",
          device)
        #expect(outcome.status == 0 && outcome.errors == "" && outcome.output == "", "\(outcome.errors)")
        let results = try TensorFile.read("\(folder)/out")
        #expect(Set(results.keys) == Set(outputs.keys))
        for (name, reference) in outputs {
          expectClose(try #require(results[name]), try golden.tensor(reference), nmse: 1e-10)
        }
      }
    }
  }

  @Test func componentInputs() throws {
    try withTemporaryFolder { folder in
      try TensorFile.write(["image": Tensor([1, 3, 8, 8], [Float](repeating: 0, count: 192))], to: "\(folder)/in")
      let fixed = ["--inputs", "\(folder)/in", "--outputs", "\(folder)/out"]
      try expectRefusal(
        "sd-run", [plan, "--component", "unet"] + fixed, 2, "unet needs the tensor 'sample'; the file has 'image'")
      try expectRefusal(
        "sd-run", [plan, "--component", "vae_encoder"] + fixed, 2,
        "'\(plan)' was not compiled for 8x8; it has 72x56\n  Compile it with --size 8x8 as well; sizes share their weights."
      )
      put([1, 2, 3], "\(folder)/in")
      try expectRefusal(
        "sd-run", [plan, "--component", "unet"] + fixed, 3,
        "\(folder)/in: 3 bytes are no safetensors file, it has at least 8")
      var values = [Float](repeating: 0, count: 252)
      values[7] = .nan
      try TensorFile.write(["latent": Tensor([1, 4, 9, 7], values)], to: "\(folder)/in")
      try expectRefusal(
        "sd-run", [plan, "--component", "vae_decoder"] + fixed, 7,
        "vae_decoder: 'decoded' holds values that are not finite\n  SD_CHECK_NAN=1 names the first operation that makes them."
      )
      #expect(entries(of: folder) == ["in"])
    }
  }

  @Test func inspection() throws {
    let outcome = try ToolProcess.run("sd-run", plan, "--inspect")
    #expect(outcome.status == 0 && outcome.errors == "")
    for line in [
      #/written by +sd-compile 0\.1\.0/#, #/model +micro-sd15, latents \[4, h\/8, w\/8\], scaling factor 0\.18215/#,
      #/scheduler +PNDMScheduler/#, #/precision +fp32/#, #/sizes +72x56, batch 1/#,
      #/components +text_encoder, unet, vae_decoder, vae_encoder/#,
      #/passes +choose-precision \d+, .*, split-concat \d+/#,
      #/section +WDAT at 4096, \d+ bytes/#, #/section +FALL at \d+, 2 bytes/#,
      #/graph +unet guided 72x56, once a prompt: 1 kernel calls, .*/#,
      #/  ops +sd\.fused_conv 1, sd\.input 1, sd\.parameter 1/#,
    ] {
      #expect(outcome.output.split(separator: "\n").contains { $0.wholeMatch(of: line) != nil })
    }
  }

  /// Chrome's trace format, and the table on standard output.
  @Test func profile() throws {
    try withTemporaryFolder { folder in
      let outcome = try ToolProcess.run(
        "sd-run", plan, "--prompt", "x", "--steps", "4", "-o", "\(folder)/x.png", "--quiet", "--profile",
        "\(folder)/trace")
      #expect(outcome.status == 0)
      let trace = try JSONSerialization.jsonObject(with: Data(get("\(folder)/trace") ?? [])) as? [String: Any]
      let events = try #require(trace?["traceEvents"] as? [[String: Any]])
      #expect(events.count { $0["ph"] as? String == "X" } > 4 * 100)
      #expect(events.contains { ($0["args"] as? [String: Any])?["location"] as? String == "unet.conv_in" })
      #expect(outcome.output.contains("% time"))
      #expect(outcome.output.contains("roofline: "))
    }
  }

  @Test func longPrompts() throws {
    try withTemporaryFolder { folder in
      let outcome = try ToolProcess.run(
        "sd-run", plan, "--prompt", String(repeating: "horse ", count: 80), "--steps", "4", "-o", "\(folder)/x.png",
        "--quiet")
      #expect(outcome.status == 0)
      #expect(
        outcome.errors == "warning: the prompt has more than 77 tokens, ignored: horse horse horse horse horse \n")
    }
  }

  @Test func steps() throws {
    try withTemporaryFolder { folder in
      let outcome = try ToolProcess.run("sd-run", plan, "--prompt", "", "--steps", "20", "-o", "\(folder)/x.png")
      #expect(outcome.output == "\(folder)/x.png\n")
      let lines = outcome.errors.split(separator: "\n")
      #expect((8...12).contains(lines.count))
      #expect(lines.last?.hasPrefix("steps: 21/21 it, ") == true)  // PLMS evaluates its first step twice
    }
  }

  @Test func benchmark() throws {
    let outcome = try ToolProcess.run("sd-bench", plan, "--runs", "2", "--json")
    #expect(outcome.status == 0 && outcome.errors == "")
    #expect(outcome.output.split(separator: "\n").count == 1)
    let report = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
    let components = try #require(report?["components"] as? [[String: Any]])
    #expect(components.compactMap { $0["name"] as? String } == Component.allCases.map(\.rawValue))
    for row in components {
      let numbers = try ["min_s", "median_s", "max_s"].map { try #require(row[$0] as? Double) }
      #expect(numbers == numbers.sorted() && numbers[0] > 0)
      #expect(try #require(row["tflops"] as? Double) > 0 && row["peak_fraction"] is Double)
    }
    #expect(try #require(report?["calibrated_tflops"] as? Double) > 0)
    #expect(try #require(report?["peak_rss_bytes"] as? Int) > 1 << 20)
    let text = try ToolProcess.run("sd-bench", plan, "--component", "unet", "--runs", "1")
    #expect(text.output.contains(#/\nunet +[a-z]+[0-9]* +\d/#))
  }
}
