import DiffusionModels
import GraphIR
import GraphPasses
import GraphRuntime
import TestSupport
import Testing

struct PlanCompilerTests {
  private func compile(
    _ path: String, _ model: MicroModel = .sd15, _ change: (inout PlanCompiler.Options) -> Void = { _ in }
  ) throws(SDError) -> CompileReport {
    var options = PlanCompiler.Options()
    options.precision = .fp32
    options.sizes = [Golden.size]
    change(&options)
    return try PlanCompiler(ModelSource(folder: model.folder), options).compile(to: path)
  }

  /// The same inputs give the same bytes, whatever the file is called.
  @Test(arguments: Precision.allCases) func sameBytes(precision: Precision) throws {
    try withTemporaryFolder { folder in
      let again = try MicroModel.sd15.compile(.init(precision), to: "\(folder)/again.sdplan")
      let first = try MicroModel.sd15.compiled(.init(precision))
      #expect(get(first.file.path) == get("\(folder)/again.sdplan"))
      #expect("\(first.file.id)" == again.planID)
    }
  }

  /// Names are in the order of the pipeline, whatever the order in which they were given.
  @Test func orderOfComponents() throws {
    try withTemporaryFolder { folder in
      let lists = ["unet,text_encoder", "text_encoder,unet,unet"]
      for (index, list) in lists.enumerated() {
        _ = try compile("\(folder)/\(index)") { $0.components = (try? Component.list(list)) ?? [] }
      }
      #expect(get("\(folder)/0") == get("\(folder)/1"))
    }
  }

  @Test func partOfAModel() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/unet.sdplan"
      _ = try compile(path) { $0.components = [.unet] }
      let compiled = try CompiledModel(plan: path)
      #expect(compiled.info.components == [.unet])
      let sample = Tensor.random([1, 4, 9, 7], seed: 1)
      let context = Tensor.random([1, 77, 16], seed: 2)
      let whole = try MicroModel.sd15.compiled().unet()
      let part = try compiled.unet()
      #expect(
        try part(sample: sample, timestep: Tensor([1], [3]), encoderHiddenStates: context)
          == whole(sample: sample, timestep: Tensor([1], [3]), encoderHiddenStates: context))
      for name in ["text_encoder", "vae_decoder", "vae_encoder"] {
        expectError(
          .incompatible, "'\(path)' does not have the component '\(name)'", hint: "Compile it with --components all."
        ) {
          switch name {
          case "text_encoder": _ = try compiled.textEncoder()
          case "vae_decoder": _ = try compiled.vaeDecoder()
          default: _ = try compiled.vaeEncoder()
          }
        }
      }
    }
  }

  @Test(arguments: [(0, "the batch must be in 1 ... 64, it is 0"), (65, "the batch must be in 1 ... 64, it is 65")])
  func batches(batch: Int, message: String) throws {
    try withTemporaryFolder { folder in
      expectError(.usage, message) { try compile("\(folder)/x") { $0.batch = batch } }
      #expect(entries(of: folder) == [])
    }
  }

  @Test func sizes() throws {
    expectError(
      .usage, "height and width must be multiples of 8, they are 72 and 60", hint: "The nearest size is 72x64."
    ) {
      try compile("/nowhere/x") { $0.sizes = [Golden.size, PictureSize(height: 72, width: 60)] }
    }
    try withTemporaryFolder { folder in
      let path = "\(folder)/own.sdplan"
      _ = try compile(path) { ($0.sizes, $0.components) = ([], [.vaeDecoder]) }
      #expect(try CompiledModel(plan: path).info.sizes == [PictureSize(height: 64, width: 64)])
    }
  }

  /// The plan of every pass left out, one at a time, still computes what the whole pipeline's does.
  @Test(arguments: Set(Pipeline(precision: .fp32).names))
  func withoutAPass(name: String) throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/x.sdplan"
      _ = try compile(path, .sd21) { $0.passes.disabled = [name] }
      try expectSameLatents(path, as: .sd21)
    }
  }

  /// As does one whose rewrites stop half-way.
  @Test(arguments: [0, 1, 100, 300]) func rewriteLimit(limit: Int) throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/x.sdplan"
      let report = try compile(path, .sd21) { $0.passes.rewriteLimit = limit }
      #expect(report.graphs.allSatisfy { $0.passes.rewrites <= limit })
      #expect(report.graphs.contains { $0.passes.rewrites == limit })
      try expectSameLatents(path, as: .sd21)
    }
  }

  /// A plan that was tuned computes the same bits, on its own processor and on one that it was not tuned for.
  @Test(arguments: [CPU.Level.generic, CPU.best.level]) func tuned(level: CPU.Level) throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/tuned.sdplan"
      let report = try compile(path) {
        ($0.tune, $0.components) = (true, [.textEncoder])
        $0.cpu = CPU.all.first { $0.level == level } ?? .best
      }
      let tuning = try #require(report.tuning)
      #expect(tuning.timed > 0 && tuning.bestSeconds <= tuning.predictedSeconds)
      let compiled = try CompiledModel(plan: path)
      guard case .cpu(let stored) = compiled.tuning else {
        throw SDError(.invalid, "\(String(describing: compiled.tuning))")
      }
      #expect(stored.blockings.count == tuning.changed)
      #expect(stored.level == level)
      let ids = compiled.tokenizer.encode("a red circle").ids
      #expect(try compiled.textEncoder()(ids) == MicroModel.sd15.compiled().textEncoder()(ids))
      #expect(try MicroModel.sd15.compiled().tuning == nil)
    }
  }

  private func expectSameLatents(_ path: String, as model: MicroModel) throws {
    let golden = try model.golden()
    var request = golden.request(golden.runs[0])
    (request.steps, request.scheduler) = (2, .ddim)
    let ours = try StableDiffusion(CompiledModel(plan: path)).generate(request)
    let all = try StableDiffusion(model.compiled()).generate(request)
    #expect(nmse(ours[0].latents.values, all[0].latents.values) <= 1e-10)
  }

  /// Every pass of every graph, checked on random numbers.
  @Test(arguments: MicroModel.all, Precision.allCases)
  func checkedPasses(model: MicroModel, precision: Precision) throws {
    try withTemporaryFolder { folder in
      _ = try compile("\(folder)/x", model) { ($0.passes.check, $0.precision) = (true, precision) }
    }
  }

  /// Buffers of U-Net and autoencoder fill their arenas without loss.
  @Test(arguments: MicroModel.all) func arenas(model: MicroModel) throws {
    try withTemporaryFolder { folder in
      let report = try compile("\(folder)/x", model)
      #expect(
        report.graphs.map(\.name) == [
          "text_encoder.general", "unet.general@72x56", "unet.guided@72x56", "unet.unguided@72x56",
          "vae_decoder.general@72x56", "vae_encoder.general@72x56",
        ])
      for graph in report.graphs {
        for part in graph.parts {
          let slack: Double = graph.name == "text_encoder.general" ? 1.2 : 1.01
          #expect(Double(part.arenaBytes) <= slack * Double(part.arenaLowerBound), "\(graph.name) \(part.rate)")
        }
      }
    }
  }

  @Test func reportsWhatItDid() throws {
    try withTemporaryFolder { folder in
      let report = try compile("\(folder)/x")
      let guided = try #require(report.graphs.first { $0.name == "unet.guided@72x56" })
      #expect(guided.parts.map(\.rate) == [.prompt, .schedule, .step])
      #expect(guided.declaredOps["sd.softmax"] == 32)
      let unguided = try #require(report.graphs.first { $0.name == "unet.unguided@72x56" })
      // All but the embedding of the timestep is done once instead of twice.
      #expect((0.5..<0.51).contains(Double(unguided.declaredFlops) / Double(guided.declaredFlops)))
      #expect(guided.parts.reduce(0) { $0 + ($1.ops["sd.attention"] ?? 0) } == 32)
      let text = report.text.split(separator: "\n")
      #expect(text.first?.hasPrefix("text_encoder.general: ") == true)
      #expect(text.count { $0.hasPrefix("unet.guided@72x56: ") } == 1)
    }
  }

  /// `info` is stored in the plan as it is.
  @Test func information() throws {
    let compiled = try MicroModel.sd21.compiled(.init(.fp16, sizes: [Golden.size], batch: 2))
    let info = compiled.info
    #expect(info.producer == "sd-compile \(PlanInfo.version)")
    #expect(info.model == "micro-sd21")
    #expect(info.precision == .fp16)
    #expect(info.batch == 2)
    #expect(info.sizes == [Golden.size])
    #expect(info.components == Component.allCases)
    #expect(info.vaeFactor == 8 && info.latentChannels == 4 && info.tokens == 77 && info.contextWidth == 24)
    #expect(info.scalingFactor == 0.18215)
    let again = try PlanInfo(JSON.Config(info.json, file: "x"), limit: compiled.file.section(.graphs).count)
    #expect(again.json == info.json)
    var damaged = try #require(info.json.object)
    damaged["batch"] = 0
    expectError(.invalid, "x: \"batch\" must be in 1 ... 1024, it is 0") {
      try PlanInfo(JSON.Config(.object(damaged), file: "x"), limit: 1 << 30)
    }
    expectError(.invalid, "x: \"length\" must be in 0 ... 10, it is \(info.graphs[0].length)") {
      try PlanInfo(JSON.Config(info.json, file: "x"), limit: 10)
    }
  }
}
