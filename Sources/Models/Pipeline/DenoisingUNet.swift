import GraphIR
import GraphRuntime

/// The U-Net as the pipeline drives it: N pictures at the same timestep, each with its prompt and, where there is guidance,
/// without.
///
/// What depends on the prompt alone runs when the prompts are set, what depends on the schedule alone runs for
/// a table of timesteps at a time.
final class DenoisingUNet {
  /// What the plan says about itself.
  let plan: PlanInfo
  /// Pictures of one pass.
  let batch: Int
  /// The graph: guided or not.
  let key: GraphKey
  let session: GraphSession
  /// Timesteps that are prepared at a time.
  let scheduleRows: Int
  private var timesteps: [Float] = []
  private var chunk: Int?

  /// Whether it predicts what there would be without the prompt as well.
  var isGuided: Bool { key.entry == UNetEntry.guided.rawValue }

  init(_ model: CompiledModel, _ key: GraphKey) throws(SDError) {
    session = try GraphSession(model, key)
    (plan, batch, self.key) = (model.info, model.info.batch, key)
    let channels = session.type(of: "sample")?.lastDimension ?? 0
    guard channels == model.info.latentChannels else {
      throw SDError(
        .incompatible,
        "the U-Net takes \(channels) channels, latents have \(model.info.latentChannels): it draws from "
          + "more than a prompt", hint: "Run it with --component unet.")
    }
    scheduleRows = model.info.scheduleRows
  }

  /// Sets the hidden states `[tokens, D]` of the prompt for all pictures, and with guidance those of the negative prompt.
  func setPrompt(_ prompt: [Float], negative: [Float]) throws(SDError) {
    let rows = Array(repeating: negative, count: isGuided ? batch : 0) + Array(repeating: prompt, count: batch)
    try session.write("encoder_hidden_states", rows.flatMap(\.self))
    try session.run(.prompt)
  }

  /// Sets the timesteps that `predict` will be called for.
  func setSchedule(_ timesteps: [Double]) {
    self.timesteps = timesteps.map { Float($0) }
    chunk = nil
  }

  /// Computes what depends on the timesteps around step `index` alone, unless that is done.
  func prepare(_ index: Int) throws(SDError) {
    let chunk = index / scheduleRows
    if self.chunk == chunk { return }
    let rows = (chunk * scheduleRows..<(chunk + 1) * scheduleRows).map {
      timesteps[min($0, timesteps.count - 1)]
    }
    try session.write("timesteps", rows)
    try session.run(.schedule)
    self.chunk = chunk
  }

  /// The model's outputs `[h, w, C]` for samples `[h, w, C]` at timestep `index`: `u + g · (c − u)`, without guidance the
  /// prompt's prediction itself.
  func predict(_ samples: [[Float]], at index: Int, guidance: Float) throws(SDError) -> [[Float]] {
    try prepare(index)
    try session.write("index", [Float(index % scheduleRows)])
    try session.write("sample", samples.flatMap(\.self))
    try session.run(.step)
    let output = try session.read("out")
    let conditional = output.suffix(isGuided ? output.count / 2 : output.count)
    let guided = guidance <= 1 ? Array(conditional) : zip(output, conditional).map { $0 + guidance * ($1 - $0) }
    let width = guided.count / batch
    return (0..<batch).map { Array(guided[$0 * width..<($0 + 1) * width]) }
  }
}
