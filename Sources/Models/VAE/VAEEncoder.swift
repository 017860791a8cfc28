package import GraphIR

/// The encoder of a variational autoencoder as a graph named `vae_encoder`, in plain ops.
///
/// Input: `image` f32 [B, H, W, 3], colours from −1 to 1. Outputs: `mean` and `logvar` f32 [B, h, w, L] of the latents'
/// normal distribution, not yet multiplied by the scaling factor; the reference clamps `logvar` to −30 … 20, which is
/// left to the caller. h and w are H and W over the downsampling factor, rounded down level by level.
///
/// - Parameters:
///   - batch: rows (B).
///   - height: rows of the pictures (H).
///   - width: columns of the pictures (W).
/// - Throws: `.usage` for sizes that are not positive, `.invalid` for pictures smaller than a latent pixel.
/// - Reference: Rombach et al. 2021, arXiv:2112.10752; diffusers' `AutoencoderKL.encode`.
package func declareVAEEncoder(
  _ configuration: VAEConfiguration, batch: Int, height: Int, width: Int
) throws(SDError) -> Graph {
  let builder = GraphBuilder(name: "vae_encoder")
  try builder.requirePositive(["batch": batch, "height": height, "width": width])
  let image = try builder.input(
    "image", TensorType(.f32, [batch, height, width, configuration.inChannels]), rate: .step)
  var h = try builder.scope("encoder") { () throws(SDError) in
    try VAELayers(configuration: configuration).encode(image)
  }
  let latents = configuration.latentChannels
  if configuration.useQuantConv { h = try h.conv("quant_conv", to: 2 * latents, kernel: 1) }
  try builder.output("mean", h.sliced(0..<latents))
  try builder.output("logvar", h.sliced(latents..<2 * latents))
  return builder.graph
}

extension VAELayers {
  /// - Modules: conv_in, down_blocks.N.{resnets.M, downsamplers.0.conv}, mid_block, conv_norm_out, conv_out.
  fileprivate func encode(_ image: Value) throws(SDError) -> Value {
    let levels = configuration.blockOutChannels
    var h = try image.conv("conv_in", to: levels[0])
    for (index, channels) in levels.enumerated() {
      h = try h.builder.scope("down_blocks.\(index)") { () throws(SDError) in
        var h = h
        for layer in 0..<configuration.layersPerBlock { h = try resnet("resnets.\(layer)", h, to: channels) }
        return index < levels.count - 1 ? try h.downsampled(padding: 0) : h
      }
    }
    h = try mid("mid_block", h)
    return try output(h, to: 2 * configuration.latentChannels)
  }
}
