package import GraphIR

/// How a U-Net is called.
package enum UNetEntry: String, CaseIterable, Sendable {
  /// Any rows, each with a timestep of its own.
  ///
  /// Inputs: `sample` f32 [B, h, w, C], `timestep` f32 [B], `encoder_hidden_states` f32 [B, T, D].
  /// Output: `out` f32 [B, h, w, C'].
  case general
  /// N pictures under classifier-free guidance, at one timestep of a schedule of R rows.
  ///
  /// Inputs: `sample` f32 [N, h, w, C], `timesteps` f32 [R], `index` i32 [1] (which of them),
  /// `encoder_hidden_states` f32 [2N, T, D], first the unconditional rows, then the conditional ones.
  /// Output: `out` f32 [2N, h, w, C'] in the same order.
  case guided
  /// N pictures that follow their prompts alone, at one timestep of a schedule of R rows.
  ///
  /// Inputs: those of `guided`, but `encoder_hidden_states` f32 [N, T, D].
  /// Output: `out` f32 [N, h, w, C'].
  case unguided
}

/// The U-Net as a graph named `unet`, in plain ops; parameters have the names and shapes of the checkpoint.
///
/// - Parameters:
///   - batch: rows of the general entry (B), pictures of the others (N).
///   - height: rows of the latents; any number, not only multiples of the downsampling factor.
///   - width: columns of the latents.
///   - tokens: rows of the prompt's encoding (T).
///   - scheduleRows: timesteps of the guided and the unguided entry (R).
/// - Throws: `.usage` for sizes that are not positive.
/// - Reference: Ronneberger et al. 2015, arXiv:1505.04597; Rombach et al. 2021, arXiv:2112.10752.
package func declareUNet(
  _ configuration: UNetConfiguration, entry: UNetEntry, batch: Int, height: Int, width: Int,
  tokens: Int = 77, scheduleRows: Int = 16
) throws(SDError) -> Graph {
  let builder = GraphBuilder(name: "unet")
  try builder.requirePositive([
    "batch": batch, "height": height, "width": width, "tokens": tokens, "schedule rows": scheduleRows,
  ])
  var sample = try builder.input(
    "sample", TensorType(.f32, [batch, height, width, configuration.inChannels]), rate: .step)
  let timestep: Value
  switch entry {
  case .general:
    timestep = try builder.input("timestep", TensorType(.f32, [batch]), rate: .schedule)
  case .guided, .unguided:
    let schedule = try builder.input("timesteps", TensorType(.f32, [scheduleRows]), rate: .schedule)
    timestep = try schedule.selectRow(builder.input("index", TensorType(.i32, [1]), rate: .step))
    if entry == .guided { sample = try builder.concat([sample, sample], axis: 0) }
  }
  let context = try builder.input(
    "encoder_hidden_states",
    TensorType(.f32, [sample.shape[0], tokens, configuration.crossAttentionDim]), rate: .prompt)
  try builder.output("out", UNet(configuration)(sample, timestep, context))
  return builder.graph
}

/// Down to the coarsest level and back, every step of the way up reading what the same step down left.
///
/// - Modules: conv_in, time_embedding, down_blocks.N, mid_block, up_blocks.N, conv_norm_out, conv_out.
struct UNet {
  let configuration: UNetConfiguration

  init(_ configuration: UNetConfiguration) { self.configuration = configuration }

  /// The network on sample [B, h, w, C], timestep [B or 1] and context [B, T, D], as [B, h, w, C'].
  func callAsFunction(_ sample: Value, _ timestep: Value, _ context: Value) throws(SDError) -> Value {
    let temb = try timestep.timeEmbedding(configuration)
    var h = try centered(sample).conv(
      "conv_in", to: configuration.downBlocks[0].channels, kernel: configuration.convInKernel)

    var skips = [h]
    for (index, block) in configuration.downBlocks.enumerated() {
      let isLast = index == configuration.downBlocks.count - 1
      h = try down("down_blocks.\(index)", block, h, temb, context, downsamples: !isLast, &skips)
    }
    h = try mid("mid_block", h, temb, context)
    for (index, block) in configuration.upBlocks.enumerated() {
      h = try up("up_blocks.\(index)", block, h, temb, context, &skips)
    }

    return try h.groupNorm("conv_norm_out", groups: configuration.normNumGroups, eps: configuration.normEps)
      .activated(configuration.activation)
      .conv("conv_out", to: configuration.outChannels, kernel: configuration.convOutKernel)
  }

  /// From 0 … 1 to −1 … 1 where the configuration asks for it.
  private func centered(_ sample: Value) throws(SDError) -> Value {
    guard configuration.centerInputSample else { return sample }
    let (two, one) = (try sample.builder.constant([], [2]), try sample.builder.constant([], [1]))
    return try sample.multiplied(by: two).subtracting(one)
  }
}
