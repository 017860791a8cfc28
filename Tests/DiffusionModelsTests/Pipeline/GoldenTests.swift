import DiffusionModels
import Foundation
import GraphIR
import GraphPasses
import GraphRuntime
import TestSupport
import Testing

/// The micro models against diffusers: Tools/reference/goldens.py made the references.
struct GoldenTests {
  private static let limits: [Precision: Double] = [.fp32: 1e-10, .fp16: 1e-5, .bf16: 5e-4]

  /// One forward of each component, with all instruction sets of this processor. In 16 bits the error is also at most
  /// twice PyTorch's own in that type.
  @Test(arguments: MicroModel.all, Precision.allCases)
  func forwards(model: MicroModel, precision: Precision) throws {
    let golden = try model.golden()
    for cpu in CPU.checked {
      var options = CompiledModel.Options()
      options.cpu = cpu
      for (name, output) in try forwards(model.compiled(.init(precision), options), golden) {
        let own = golden.rounding[precision]?[name] ?? .infinity
        let limit = try #require(Self.limits[precision])
        expectClose(output, try golden.tensor(name), nmse: min(limit, 2 * own))
      }
    }
  }

  private func forwards(_ compiled: CompiledModel, _ golden: Golden) throws -> [String: Tensor] {
    let latent = try compiled.vaeEncoder()(golden.tensor("vae.image"))
    return [
      "text.last_hidden_state": try compiled.textEncoder()(golden.tensor("text.input_ids")),
      "unet.out": try compiled.unet()(
        sample: golden.tensor("unet.sample"), timestep: golden.tensor("unet.timestep"),
        encoderHiddenStates: golden.tensor("unet.encoder_hidden_states")),
      "vae.decoded": try compiled.vaeDecoder()(golden.tensor("vae.latent")),
      "vae.mean": latent.mean, "vae.logvar": latent.logvar,
    ]
  }

  /// Whole runs in float32, from the prompt and the seed to latents and picture.
  @Test(arguments: MicroModel.all) func runs(model: MicroModel) throws {
    let golden = try model.golden()
    let pipeline = try StableDiffusion(model.compiled())
    #expect(Set(golden.runs.map(\.scheduler)) == Set(SchedulerName.allCases))
    #expect(golden.runs.count == SchedulerName.allCases.count + 2)
    var pictures = 0
    for run in golden.runs {
      let picture = try #require(try pipeline.generate(golden.request(run)).first)
      let reference = try golden.tensor("run.\(run.name).latents")
      let error = nmse(picture.latents.values, reference.values)
      #expect(error <= 1e-9, "\(run.name): NMSE \(error)")
      #expect(picture.latents.shape == reference.shape)
      guard let pixels = golden.picture(of: run) else { continue }
      let psnr = peakSignalToNoise(picture.image.pixels, pixels)
      #expect(psnr >= 60, "\(run.name): \(psnr) dB")
      pictures += 1
    }
    #expect(pictures == 5)
  }

  /// The tokenizer gives the ids that transformers' gives.
  @Test(arguments: MicroModel.all) func tokens(model: MicroModel) throws {
    let golden = try model.golden()
    let tokenizer = try model.compiled().tokenizer
    let ids = try golden.tensor("text.input_ids").values.map { Int($0) }
    for (row, prompt) in [golden.prompt, golden.negativePrompt, ""].enumerated() {
      #expect(tokenizer.encode(prompt).ids == Array(ids[77 * row..<77 * (row + 1)]))
    }
  }

  /// Without a name the pipeline takes the checkpoint's own scheduler.
  @Test(arguments: zip(MicroModel.all, [SchedulerName.pndm, .ddim]))
  func ownScheduler(model: MicroModel, name: SchedulerName) throws {
    let golden = try model.golden()
    let pipeline = try StableDiffusion(model.compiled())
    let run = try #require(golden.runs.first { $0.name == name.rawValue })
    var request = golden.request(run)
    let named = try pipeline.generate(request)
    request.scheduler = nil
    #expect(try pipeline.scheduler(request).name == name)
    #expect(try pipeline.generate(request)[0].latents == named[0].latents)
  }

  /// The interpreter, which knows nothing of kernels, plans of memory and weight layouts, agrees with the CPU.
  @Test(arguments: MicroModel.all) func referenceDevice(model: MicroModel) throws {
    var options = CompiledModel.Options()
    options.device = .reference
    let golden = try model.golden()
    var request = golden.request(try #require(golden.runs.first))
    (request.steps, request.scheduler) = (1, .ddim)
    let slow = try StableDiffusion(model.compiled(.init(), options)).generate(request)
    let fast = try StableDiffusion(model.compiled()).generate(request)
    #expect(nmse(fast[0].latents.values, slow[0].latents.values) <= 1e-10)
    #expect(peakSignalToNoise(fast[0].image.pixels, slow[0].image.pixels) >= 60)
  }

  /// PSNR of 8-bit samples in dB.
  private func peakSignalToNoise(_ a: [UInt8], _ b: [UInt8]) -> Double {
    guard a.count == b.count else { return 0 }
    let error = zip(a, b).reduce(0.0) { $0 + pow(Double($1.0) - Double($1.1), 2) } / Double(a.count)
    return error == 0 ? .infinity : 10 * log10(255 * 255 / error)
  }
}
