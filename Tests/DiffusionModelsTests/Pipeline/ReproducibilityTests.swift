import DiffusionModels
import GraphIR
import GraphPasses
import GraphRuntime
import TestSupport
import Testing

/// What must not change a single bit of a picture.
struct ReproducibilityTests {
  private let golden: Golden
  private let request: StableDiffusion.Request

  init() throws {
    golden = try MicroModel.sd15.golden()
    var request = golden.request(golden.runs[0])
    (request.steps, request.scheduler) = (3, .ddim)
    self.request = request
  }

  private func draw(
    _ model: MicroModel = .sd15, _ variant: MicroModel.Variant = .init(), size: PictureSize? = nil,
    _ request: StableDiffusion.Request? = nil, _ change: (inout CompiledModel.Options) -> Void = { _ in }
  ) throws -> [StableDiffusion.Picture] {
    var options = CompiledModel.Options()
    change(&options)
    return try StableDiffusion(model.compiled(variant, options), size: size).generate(request ?? self.request)
  }

  @Test(arguments: MicroModel.all, Precision.allCases)
  func threads(model: MicroModel, precision: Precision) throws {
    let one = try draw(model, .init(precision)) { $0.threads = 1 }
    for threads in [2, 3, 7] {
      let many = try draw(model, .init(precision)) { $0.threads = threads }
      #expect(many[0].latents == one[0].latents, "\(threads) threads")
      #expect(many[0].image == one[0].image, "\(threads) threads")
    }
  }

  @Test(arguments: Precision.allCases) func mapping(precision: Precision) throws {
    let read = try draw(.sd15, .init(precision)) { $0.mapped = false }
    let mapped = try draw(.sd15, .init(precision))
    #expect(read[0].image == mapped[0].image)
    #expect(read[0].latents == mapped[0].latents)
  }

  /// Sizes of one plan share its weights, and each draws what a plan of its own draws. (Where a level is not twice the
  /// next one, as at odd sizes, upsampling is not taken apart and reads other weights.)
  @Test func sizes() throws {
    let sizes = [PictureSize(height: 64, width: 128), PictureSize(height: 64, width: 64)]
    let together = MicroModel.Variant(sizes: sizes)
    for size in sizes {
      let alone = try draw(.sd15, .init(sizes: [size]))
      let shared = try draw(.sd15, together, size: size)
      #expect(shared[0].image == alone[0].image)
      #expect(shared[0].latents == alone[0].latents)
      #expect(shared[0].image.height == size.height && shared[0].image.width == size.width)
    }
    #expect(
      try MicroModel.sd15.compiled(together).table.entries.count
        == MicroModel.sd15.compiled(.init(sizes: [sizes[0]])).table.entries.count)
    let bytes = try [together, .init(sizes: [sizes[0]])].map { variant in
      try #require(try MicroModel.sd15.compiled(variant).file[.weights]).count
    }
    #expect(bytes[0] == bytes[1])
  }

  /// Picture i is the one of seed + i alone, in whatever batches it is drawn.
  @Test(arguments: Precision.allCases) func batches(precision: Precision) throws {
    var several = request
    several.count = 3
    let pairs = try draw(.sd15, .init(precision, batch: 2), several)
    let singles = try draw(.sd15, .init(precision), several)
    #expect(pairs.map(\.seed) == [golden.seed, golden.seed + 1, golden.seed + 2])
    #expect(pairs[0].latents != pairs[1].latents)
    for index in 0..<3 {
      var alone = request
      alone.seed += UInt64(index)
      let picture = try draw(.sd15, .init(precision), alone)[0]
      for other in [pairs[index], singles[index], try draw(.sd15, .init(precision, batch: 2), alone)[0]] {
        #expect(other.latents == picture.latents, "picture \(index)")
        #expect(other.image == picture.image, "picture \(index)")
      }
    }
  }

  /// A seed's noise, given as latents, draws the seed's picture, noise of later steps included.
  @Test(arguments: [SchedulerName.pndm, .eulerAncestral, .lcm])
  func latents(scheduler: SchedulerName) throws {
    var request = request
    request.scheduler = scheduler
    request.count = 2
    let drawn = try draw(.sd15, .init(), request)
    let noise = (0..<2).flatMap { index in
      var generator = TorchGenerator(seed: golden.seed + UInt64(index))
      return generator.randn(4 * 9 * 7)
    }
    try withTemporaryFolder { folder in
      try TensorFile.write(["latents": Tensor([2, 4, 9, 7], noise)], to: "\(folder)/noise")
      request.latents = try TensorFile.latents("\(folder)/noise")
      let given = try draw(.sd15, .init(), request)
      for (a, b) in zip(given, drawn) {
        #expect(a.latents == b.latents)
        #expect(a.image == b.image)
      }
      let results = Tensor.joined(drawn.map(\.latents))
      try TensorFile.write(["latents": results], to: "\(folder)/results")
      #expect(try TensorFile.latents("\(folder)/results") == results)
    }
  }

  /// Rows behind the compiled batch run in chunks; each row is what it is alone.
  @Test func rows() throws {
    let compiled = try MicroModel.sd15.compiled()
    let ids = try golden.tensor("text.input_ids")
    let encoder = try compiled.textEncoder()
    let states = try encoder(ids)
    let latent = Tensor.random([5, 4, 9, 7], seed: 1)
    let decoder = try compiled.vaeDecoder()
    let decoded = try decoder(latent)
    let unet = try compiled.unet()
    let context = Tensor.random([5, 77, 16], seed: 2)
    let timesteps = Tensor([5], [999, 1, 500, 20, 20])
    let noise = try unet(sample: latent, timestep: timesteps, encoderHiddenStates: context)
    for row in 0..<5 {
      let one = latent.row(row)
      #expect(try decoder(one) == decoded.row(row))
      #expect(
        try unet(sample: one, timestep: timesteps.row(row), encoderHiddenStates: context.row(row)) == noise.row(row))
    }
    for row in 0..<3 { #expect(try encoder(ids.row(row)) == states.row(row)) }
  }

  /// A prompt is followed alone without guidance, and a pipeline keeps nothing from an earlier request.
  @Test func requestsAreIndependent() throws {
    let pipeline = try StableDiffusion(MicroModel.sd15.compiled())
    var plain = request
    plain.guidanceScale = 1
    var negative = plain
    negative.negativePrompt = "a green square"
    let first = try pipeline.generate(plain)[0]
    #expect(try pipeline.generate(negative)[0].latents == first.latents)
    // A little guidance changes little, though another graph computes it.
    var little = negative
    little.guidanceScale = Float(1).nextUp
    #expect(try nmse(pipeline.generate(little)[0].latents.values, first.latents.values) <= 1e-9)
    var guided = request
    guided.negativePrompt = "a green square"
    guided.steps = 20
    #expect(try pipeline.generate(guided)[0].latents != first.latents)
    #expect(try pipeline.generate(plain)[0].latents == first.latents)
  }
}

extension Tensor {
  /// Row `index` of the first dimension, as a batch of one.
  fileprivate func row(_ index: Int) -> Tensor {
    let width = shape.dropFirst().reduce(1, *)
    return Tensor(type.with(shape: [1] + shape.dropFirst()), Array(values[index * width..<(index + 1) * width]))
  }
}
