import DiffusionModels
import GraphIR
import GraphRuntime
import TestSupport
import Testing

/// What a pipeline refuses, and what it tells while it draws.
struct StableDiffusionTests {
  private let pipeline: StableDiffusion

  init() throws { pipeline = try StableDiffusion(MicroModel.sd15.compiled()) }

  private func refuse(
    _ message: String, sourceLocation: SourceLocation = #_sourceLocation,
    _ change: (inout StableDiffusion.Request) -> Void
  ) {
    var request = StableDiffusion.Request(prompt: "a red circle")
    request.steps = 1
    change(&request)
    expectError(.usage, message, sourceLocation: sourceLocation) { try pipeline.generate(request) }
  }

  @Test func requestsThatMakeNoSense() {
    refuse("the guidance scale must be a number, it is nan") { $0.guidanceScale = .nan }
    refuse("the guidance scale must be a number, it is -inf") { $0.guidanceScale = -.infinity }
    refuse("the number of pictures must be in 1 ... 10000, it is 0") { $0.count = 0 }
    refuse("the number of pictures must be in 1 ... 10000, it is 10001") { $0.count = 10_001 }
    refuse("seed 18446744073709551615 is too large for 2 pictures") { ($0.seed, $0.count) = (.max, 2) }
    refuse("previews must be at least 1 step apart, not 0") { $0.previewEvery = 0 }
    refuse("scheduler pndm takes 1 ... 1000 steps, not 0") { $0.steps = 0 }
    refuse("scheduler ddim takes 1 ... 1000 steps, not 1001") { ($0.steps, $0.scheduler) = (1001, .ddim) }
    refuse("latents must be f32[1, 4, 9, 7] for 1 pictures of 72x56, they are f32[1, 4, 8, 7]") {
      $0.latents = Tensor([1, 4, 8, 7], [Float](repeating: 0, count: 224))
    }
  }

  @Test func largestSeed() throws {
    var request = StableDiffusion.Request(prompt: "")
    (request.seed, request.steps, request.scheduler) = (.max, 1, .ddim)
    #expect(try pipeline.generate(request)[0].seed == .max)
  }

  @Test func sizesThatThePlanDoesNotHave() throws {
    let compiled = try MicroModel.sd15.compiled()
    expectError(
      .usage, "'\(compiled.file.path)' was not compiled for 64x64; it has 72x56",
      hint: "Compile it with --size 64x64 as well; sizes share their weights."
    ) {
      try StableDiffusion(compiled, size: PictureSize(height: 64, width: 64))
    }
  }

  @Test func events() throws {
    var request = StableDiffusion.Request(prompt: String(repeating: "horse ", count: 80))
    (request.steps, request.scheduler, request.count, request.previewEvery) = (5, .ddim, 2, 2)
    var log: [String] = []
    var previews: [Image] = []
    _ = try pipeline.generate(request) { event in
      switch event {
      case .truncated(_, let ignored): log.append("ignored \(ignored)")
      case .step(let step, let total, let pictures): log.append("step \(step)/\(total) of \(pictures)")
      case .preview(let picture, let step, let image):
        log.append("preview of \(picture) at \(step)")
        previews.append(image)
      case .picture(let index, let picture): log.append("picture \(index) of seed \(picture.seed)")
      }
    }
    let one = { (picture: Int) in
      (1...5).flatMap { step in
        ["step \(step)/5 of \(picture)..<\(picture + 1)"]
          + (step % 2 == 0 ? ["preview of \(picture) at \(step)"] : [])
      } + ["picture \(picture) of seed \(picture)"]
    }
    #expect(log == ["ignored horse horse horse horse horse "] + one(0) + one(1))
    #expect(previews.allSatisfy { $0.width == 56 && $0.height == 72 })
    #expect(Set(previews).count == 4)
  }

  /// An observer's error ends the run and comes out as it is.
  @Test func observersMayStop() {
    var steps = 0
    expectError(.cancelled, "enough") {
      try pipeline.generate(StableDiffusion.Request(prompt: "")) { (event) throws(SDError) in
        steps += 1
        if steps == 3 { throw SDError(.cancelled, "enough") }
      }
    }
    #expect(steps == 3)
  }

  /// A cancelled task stops between kernels.
  @Test func cancellation() async throws {
    let task = Task {
      try StableDiffusion(MicroModel.sd15.compiled()).generate(StableDiffusion.Request(prompt: ""))
    }
    task.cancel()
    await #expect(throws: SDError(.cancelled, "the task was cancelled")) { try await task.value.count }
  }

  @Test func componentInputs() throws {
    let compiled = try MicroModel.sd15.compiled()
    let ids = Tensor(TensorType(.i64, [1, 77]), [Float](repeating: 0, count: 77))
    let states = try compiled.textEncoder()(ids)
    #expect(states.shape == [1, 77, 16])
    func refuse(_ message: String, _ body: () throws -> Tensor) { expectError(.usage, message) { try body() } }
    refuse("input_ids must be [B, 77], they are i64[1, 3]") { try compiled.textEncoder()([1, 2, 3]) }
    var outside = ids
    outside.values[5] = 100_000
    refuse("input_ids: id 100000 at row 0, column 5 is outside the vocabulary of 578") {
      try compiled.textEncoder()(outside)
    }
    let sample = Tensor.random([2, 4, 9, 7], seed: 1)
    let (unet, timesteps) = (try compiled.unet(), Tensor([2], [1, 2]))
    refuse("'encoder_hidden_states' must be [2, 77, 16], it is f32[1, 77, 16]") {
      try unet(sample: sample, timestep: timesteps, encoderHiddenStates: states)
    }
    refuse("sample must be [B, C, h, w], it is f32[2]") {
      try unet(sample: timesteps, timestep: timesteps, encoderHiddenStates: states)
    }
    refuse("'latent' must be [1, 4, 9, 7], it is f32[1, 5, 9, 7]") {
      try compiled.vaeDecoder()(Tensor.random([1, 5, 9, 7], seed: 1))
    }
    refuse("'timestep' must be [2], it is f32[2, 1]") {
      try unet(
        sample: sample, timestep: Tensor([2, 1], [1, 2]), encoderHiddenStates: .joined([states, states]))
    }
    refuse("'latent' must be [B, 4, 9, 7], it is f32[0, 4, 9, 7]") {
      try compiled.vaeDecoder()(Tensor([0, 4, 9, 7], []))
    }
    refuse("image must be [B, 3, H, W], it is f32[3, 72, 56]") {
      try compiled.vaeEncoder()(Tensor.random([3, 72, 56], seed: 1)).mean
    }
  }
}
