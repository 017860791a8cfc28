import GraphIR
import GraphPasses
package import GraphRuntime

/// The pictures of one pass on their way from noise to latents.
protocol Denoising {
  /// Calls the model for step `index` and makes the next samples, on a GPU perhaps later.
  ///
  /// - Throws: `SDError`: numerics when a sample is not finite.
  func step(_ index: Int) throws(SDError)
  /// The latents `[1, C, h, w]` of every picture after the steps so far.
  func samples() throws(SDError) -> [Tensor]
}

/// One picture on its way: where it starts, and the noise of later steps.
struct Trajectory {
  let picture: Int
  let seed: UInt64
  let scheduler: Scheduler
  /// `[1, C, h, w]`.
  let start: Tensor
  private(set) var generator: TorchGenerator

  /// Starts from the seed's noise, or from given noise. The seed's is drawn in both cases, so that the noise of
  /// later steps does not depend on where the first came from.
  ///
  /// - Parameter shape: `[C, h, w]`.
  init(picture: Int, _ request: StableDiffusion.Request, _ scheduler: Scheduler, shape: [Int]) {
    self.picture = picture
    self.scheduler = scheduler
    seed = request.seed + UInt64(picture)
    generator = TorchGenerator(seed: seed)
    let drawn = generator.randn(shape.reduce(1, *))
    let noise = request.latents.map { $0.rows(picture, 1) } ?? drawn
    start = Tensor([1] + shape, noise.map { $0 * scheduler.initNoiseSigma })
  }

  /// Fresh noise `[C, h, w]`.
  mutating func noise(_ count: Int) -> [Float] { generator.randn(count) }
}

extension SDError {
  /// What is said of numbers that are none.
  static func notFinite(_ what: String, _ plan: PlanInfo) -> SDError {
    SDError(
      .numerics, what,
      hint: "SD_CHECK_NAN=1 names the first operation that makes them."
        + (plan.precision == .fp16 ? " float16 overflows above 65504: compile with --precision bf16." : ""))
  }

  /// A sample that is not finite.
  static func notFinite(step index: Int, _ plan: PlanInfo) -> SDError {
    notFinite("the latents hold values that are not finite after step \(index + 1)", plan)
  }
}

/// Guidance and the sampler's steps on the host.
final class HostDenoising: Denoising {
  private let unet: DenoisingUNet
  private let guidance: Float
  private var trajectories: [Trajectory]
  private var schedulers: [Scheduler]
  private var current: [Tensor]

  init(_ unet: DenoisingUNet, _ trajectories: [Trajectory], _ guidance: Float) {
    (self.unet, self.guidance, self.trajectories) = (unet, guidance, trajectories)
    schedulers = trajectories.map(\.scheduler)
    current = trajectories.map(\.start)
  }

  func step(_ index: Int) throws(SDError) {
    // Rows of the pass that no picture needs repeat the last one that does.
    let inputs = (0..<unet.batch).map { row in
      let row = min(row, current.count - 1)
      let input = schedulers[row].scaleModelInput(current[row].values, at: index)
      return Tensor(current[row].type, input).channelsLast.values
    }
    let outputs = try unet.predict(inputs, at: index, guidance: guidance)
    for row in current.indices {
      let shape = current[row].shape
      let output = Tensor([1, shape[2], shape[3], shape[1]], outputs[row]).channelsFirst
      current[row].values = schedulers[row].step(output.values, at: index, sample: current[row].values) {
        trajectories[row].noise($0)
      }
      guard current[row].values.allSatisfy(\.isFinite) else { throw .notFinite(step: index, unet.plan) }
    }
  }

  func samples() -> [Tensor] { current }
}

/// Guidance and the sampler's steps on a GPU: the same arithmetic, to the last bit. The host stays a step ahead, so that
/// the GPU does not wait for it, nor a signal or a progress bar for long.
final class CUDADenoising: Denoising {
  private let unet: DenoisingUNet
  private let guidance: Float
  private let rows: [ScheduleRow]
  private let sampler: CUDASampler
  private var trajectories: [Trajectory]
  /// The ends of the last two steps.
  private var ends: [CUDAEvent]

  /// Nil for a sampler that does what the kernel cannot.
  init?(
    _ device: CUDADevice, _ unet: DenoisingUNet, _ trajectories: [Trajectory], _ guidance: Float
  ) throws(SDError) {
    (self.unet, self.guidance, self.trajectories) = (unet, guidance, trajectories)
    rows = trajectories[0].scheduler.rows
    guard rows.allSatisfy({ $0.onGPU != nil }), let output = unet.session.storage("out") as? CUDATensor,
      let input = unet.session.storage("sample") as? CUDATensor,
      let index = unet.session.storage("index") as? CUDATensor
    else { return nil }
    let slots = rows.flatMap(\.assignments).map { if case .slot(let slot) = $0.target { slot + 1 } else { 0 } }.max()
    sampler = try CUDASampler(device, output: output, input: input, index: index, kept: 1 + (slots ?? 0))
    ends = [try CUDAEvent(device.context), try CUDAEvent(device.context)]
    let samples = (0..<unet.batch).map { trajectories[min($0, trajectories.count - 1)].start.channelsLast.values }
    try sampler.begin(samples.flatMap(\.self))
    try unet.session.write("index", [0])
    let scale = rows[0].inputScale
    try unet.session.write("sample", samples.flatMap { $0.map { Float(Double($0) * scale) } })
  }

  func step(_ index: Int) throws(SDError) {
    try unet.prepare(index)
    try unet.session.run(.step)
    let (row, next) = (rows[index], rows[min(index + 1, rows.count - 1)])
    var noise: [[Float]] = []
    if row.drawsNoise {
      for picture in trajectories.indices {
        let start = trajectories[picture].start
        noise.append(Tensor(start.type, trajectories[picture].noise(start.type.count)).channelsLast.values)
      }
      while noise.count < unet.batch { noise.append(noise[noise.count - 1]) }
    }
    let step = CUDASampler.Step(
      number: index, assignments: row.onGPU ?? [], inputScale: next.inputScale,
      nextIndex: (index + 1) % unet.scheduleRows)
    try sampler.step(step, guidance: guidance, noise: row.drawsNoise ? noise.flatMap(\.self) : nil)
    try ends[index % 2].record()
    if index > 0 { try ends[(index - 1) % 2].wait() }
  }

  func samples() throws(SDError) -> [Tensor] {
    if let step = try sampler.failedStep() { throw .notFinite(step: step, unet.plan) }
    let values = try sampler.sample()
    return trajectories.enumerated().map { row, trajectory in
      let shape = trajectory.start.shape
      let count = trajectory.start.type.count
      return Tensor([1, shape[2], shape[3], shape[1]], Array(values[row * count..<(row + 1) * count])).channelsFirst
    }
  }
}

extension ScheduleRow {
  /// The row as a GPU's kernel takes it; nil when it cannot.
  package var onGPU: [CUDASampler.Assignment]? {
    var all: [CUDASampler.Assignment] = []
    for assignment in assignments {
      let limit: Float?
      switch assignment.limit {
      case nil: limit = nil
      case .clip(let magnitude) where magnitude > 0: limit = magnitude
      // A quantile needs all values.
      default: return nil
      }
      all.append(
        CUDASampler.Assignment(
          target: assignment.target.kept ?? 0,
          terms: assignment.form.terms.map { (CUDASampler.Vector($0.register), $0.coefficient) }, limit: limit))
    }
    return CUDASampler.takes(all) ? all : nil
  }
}

extension LinearForm.Register {
  /// Where a vector that is kept lies.
  fileprivate var kept: Int? {
    switch self {
    case .sample: 0
    case .slot(let slot): 1 + slot
    case .output, .noise: nil
    }
  }
}

extension CUDASampler.Vector {
  fileprivate init(_ register: LinearForm.Register) {
    switch register {
    case .output: self = .output
    case .noise: self = .noise
    case .sample: self = .kept(0)
    case .slot(let slot): self = .kept(1 + slot)
    }
  }
}
