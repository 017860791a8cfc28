import GraphIR
import GraphRuntime

/// The U-Net as the pipeline drives it: N pictures at the same timestep, each unconditional and conditional.
///
/// What depends on the prompt alone runs when the prompts are set, what depends on the schedule alone runs for
/// a table of timesteps at a time.
final class GuidedUNet {
  /// What the plan says about itself.
  let plan: PlanInfo
  /// Pictures of one pass.
  let batch: Int
  let session: GraphSession
  /// Timesteps that are prepared at a time.
  let scheduleRows: Int
  private var timesteps: [Float] = []
  private var chunk: Int?

  init(_ model: CompiledModel, _ size: PictureSize) throws(SDError) {
    session = try GraphSession(model, GraphKey(component: .unet, entry: "guided", size: size))
    (plan, batch) = (model.info, model.info.batch)
    let channels = session.type(of: "sample")?.lastDimension ?? 0
    guard channels == model.info.latentChannels else {
      throw SDError(
        .incompatible,
        "the U-Net takes \(channels) channels, latents have \(model.info.latentChannels): it draws from "
          + "more than a prompt", hint: "Run it with --component unet.")
    }
    scheduleRows = model.info.scheduleRows
  }

  /// Sets the hidden states of the prompts, `[batch][tokens · D]` each.
  func setPrompts(unconditional: [[Float]], conditional: [[Float]]) throws(SDError) {
    try session.write("encoder_hidden_states", (unconditional + conditional).flatMap(\.self))
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

  /// The model's outputs `[h, w, C]` for samples `[h, w, C]` at timestep `index`, unconditional and conditional.
  func predict(
    _ samples: [[Float]], at index: Int
  ) throws(SDError) -> (unconditional: [[Float]], conditional: [[Float]]) {
    try prepare(index)
    try session.write("index", [Float(index % scheduleRows)])
    try session.write("sample", samples.flatMap(\.self))
    try session.run(.step)
    let output = try session.read("out")
    let width = output.count / (2 * batch)
    let rows = (0..<2 * batch).map { Array(output[$0 * width..<($0 + 1) * width]) }
    return (Array(rows[..<batch]), Array(rows[batch...]))
  }
}
