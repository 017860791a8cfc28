import GraphIR
import GraphRuntime

/// The U-Net as the pipeline drives it: N pictures at the same timestep, each unconditional and conditional.
///
/// What depends on the prompt alone runs when the prompts are set, what depends on the schedule alone runs for
/// a table of timesteps at a time.
final class GuidedUNet {
  /// Pictures of one pass.
  let batch: Int
  private let session: GraphSession
  private let scheduleRows: Int
  private var timesteps: [Float] = []
  private var chunk: Int?

  init(_ model: CompiledModel, _ size: PictureSize) throws(SDError) {
    session = try GraphSession(model, GraphKey(component: .unet, entry: "guided", size: size))
    batch = model.info.batch
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

  /// The model's outputs `[h, w, C]` for samples `[h, w, C]` at timestep `index`, unconditional and conditional.
  func predict(
    _ samples: [[Float]], at index: Int
  ) throws(SDError) -> (unconditional: [[Float]], conditional: [[Float]]) {
    let chunk = index / scheduleRows
    if self.chunk != chunk {
      let rows = (chunk * scheduleRows..<(chunk + 1) * scheduleRows).map {
        timesteps[min($0, timesteps.count - 1)]
      }
      try session.write("timesteps", rows)
      try session.run(.schedule)
      self.chunk = chunk
    }
    try session.write("index", [Float(index % scheduleRows)])
    try session.write("sample", samples.flatMap(\.self))
    try session.run(.step)
    let output = try session.read("out")
    let width = output.count / (2 * batch)
    let rows = (0..<2 * batch).map { Array(output[$0 * width..<($0 + 1) * width]) }
    return (Array(rows[..<batch]), Array(rows[batch...]))
  }
}
