import GraphIR

extension Value {
  /// This image [B, H, W, C] at half the height and width: the layer at the end of a down block.
  ///
  /// Padding 1 is one row and column on all sides and gives ⌈H / 2⌉ rows; padding 0 is one row below and one column to
  /// the right and gives ⌊H / 2⌋.
  ///
  /// - Modules: downsamplers.0.conv, 3×3 at stride 2.
  func downsampled(padding: Int) throws(SDError) -> Value {
    try conv(
      "downsamplers.0.conv", to: type.lastDimension, stride: 2,
      padding: padding == 0 ? Padding(top: 0, left: 0, bottom: 1, right: 1) : Padding(padding))
  }

  /// This image [B, H, W, C] as [B, height, width, C]: the layer at the end of an up block.
  ///
  /// - Modules: upsamplers.0.conv, 3×3 behind the repetition of pixels.
  func upsampled(height: Int, width: Int) throws(SDError) -> Value {
    try builder.scope("upsamplers.0") { () throws(SDError) in
      try upsampleNearest(height: height, width: width).conv("conv", to: type.lastDimension)
    }
  }
}
