package import GraphIR

/// The decoder of a variational autoencoder as a graph named `vae_decoder`, in plain ops.
///
/// Input: `latent` f32 [B, h, w, L], already divided by the scaling factor. Output: `decoded` f32 [B, H, W, 3], colours
/// from −1 to 1, not clamped; H and W are h and w times the downsampling factor.
///
/// - Parameters:
///   - batch: rows (B).
///   - height: rows of the latents (h).
///   - width: columns of the latents (w).
/// - Throws: `.usage` for sizes that are not positive.
/// - Reference: Rombach et al. 2021, arXiv:2112.10752; diffusers' `AutoencoderKL.decode`.
package func declareVAEDecoder(
  _ configuration: VAEConfiguration, batch: Int, height: Int, width: Int
) throws(SDError) -> Graph {
  let builder = GraphBuilder(name: "vae_decoder")
  try builder.requirePositive(["batch": batch, "height": height, "width": width])
  var h = try builder.input(
    "latent", TensorType(.f32, [batch, height, width, configuration.latentChannels]), rate: .step)
  if configuration.usePostQuantConv {
    h = try h.conv("post_quant_conv", to: configuration.latentChannels, kernel: 1)
  }
  h = try builder.scope("decoder") { () throws(SDError) in
    try VAELayers(configuration: configuration).decode(h)
  }
  try builder.output("decoded", h)
  return builder.graph
}

extension VAELayers {
  /// - Modules: conv_in, mid_block, up_blocks.N.{resnets.M, upsamplers.0.conv}, conv_norm_out, conv_out.
  fileprivate func decode(_ latent: Value) throws(SDError) -> Value {
    let levels = Array(configuration.blockOutChannels.reversed())
    var h = try latent.conv("conv_in", to: levels[0])
    h = try mid("mid_block", h)
    for (index, channels) in levels.enumerated() {
      h = try h.builder.scope("up_blocks.\(index)") { () throws(SDError) in
        var h = h
        for layer in 0...configuration.layersPerBlock { h = try resnet("resnets.\(layer)", h, to: channels) }
        guard index < levels.count - 1 else { return h }
        return try h.upsampled(height: 2 * h.shape[1], width: 2 * h.shape[2])
      }
    }
    return try output(h, to: configuration.outChannels)
  }
}
