import GraphIR

extension UNet {
  private var resnet: ResnetBlock {
    ResnetBlock(
      groups: configuration.normNumGroups, eps: configuration.normEps, activation: configuration.activation)
  }

  private func transformer(heads: Int) -> Transformer2D {
    Transformer2D(
      heads: heads, groups: configuration.normNumGroups, linearProjection: configuration.useLinearProjection)
  }

  /// `CrossAttnDownBlock2D`, or without a transformer `DownBlock2D`. Leaves each of its results in `skips`.
  ///
  /// - Modules: resnets.N, attentions.N, downsamplers.0.conv.
  func down(
    _ name: String, _ block: UNetConfiguration.Block, _ x: Value, _ temb: Value, _ context: Value,
    downsamples: Bool, _ skips: inout [Value]
  ) throws(SDError) -> Value {
    try x.builder.scope(name) { () throws(SDError) in
      var h = x
      for index in 0..<block.resnets {
        h = try resnet("resnets.\(index)", h, temb, to: block.channels)
        h = try attend(index, block.transformer, h, context)
        skips.append(h)
      }
      if downsamples {
        h = try h.downsampled(padding: configuration.downsamplePadding)
        skips.append(h)
      }
      return h
    }
  }

  /// `UNetMidBlock2DCrossAttn`, `UNetMidBlock2D`, or nothing.
  ///
  /// - Modules: resnets.0, attentions.0, resnets.1.
  func mid(_ name: String, _ x: Value, _ temb: Value, _ context: Value) throws(SDError) -> Value {
    guard configuration.midBlock != .absent else { return x }
    let channels = x.type.lastDimension
    var resnet = resnet
    resnet.scaleFactor = configuration.midBlockScaleFactor
    return try x.builder.scope(name) { () throws(SDError) in
      var h = try resnet("resnets.0", x, temb, to: channels)
      guard case .transformer(let transformer) = configuration.midBlock else { return h }
      h = try attend(0, transformer, h, context)
      return try resnet("resnets.1", h, temb, to: channels)
    }
  }

  /// `CrossAttnUpBlock2D`, or without a transformer `UpBlock2D`. Takes as many of `skips` as it has residual blocks;
  /// if some remain, the next one has the size to which it upsamples.
  ///
  /// - Modules: resnets.N, attentions.N, upsamplers.0.conv.
  func up(
    _ name: String, _ block: UNetConfiguration.Block, _ x: Value, _ temb: Value, _ context: Value,
    _ skips: inout [Value]
  ) throws(SDError) -> Value {
    try x.builder.scope(name) { () throws(SDError) in
      var h = x
      for index in 0..<block.resnets {
        if let skip = skips.popLast() { h = try x.builder.concat([h, skip], axis: 3) }
        h = try resnet("resnets.\(index)", h, temb, to: block.channels)
        h = try attend(index, block.transformer, h, context)
      }
      guard let next = skips.last else { return h }
      return try h.upsampled(height: next.shape[1], width: next.shape[2])
    }
  }

  /// The transformer behind residual block `index` of a block, where it has one.
  private func attend(
    _ index: Int, _ transformer: UNetConfiguration.Transformer?, _ h: Value, _ context: Value
  ) throws(SDError) -> Value {
    guard let transformer else { return h }
    return try self.transformer(heads: transformer.heads)(
      "attentions.\(index)", h, context, layers: transformer.layers[index])
  }
}
