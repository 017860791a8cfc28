import GraphIR

/// The layers of a checkpoint. The name of a module below the current location gives both the location of its ops
/// and the names of its parameters: `conv1` within `unet.mid_block.resnets.0` reads `mid_block.resnets.0.conv1.weight`.
extension Value {
  /// A convolution of images [B, H, W, C] that keeps height and width at stride 1 (`torch.nn.Conv2d`).
  ///
  /// - Tensors: weight [channels, C, kernel, kernel], bias [channels].
  func conv(
    _ name: String, to channels: Int, kernel: Int = 3, stride: Int = 1, padding: Padding? = nil
  ) throws(SDError) -> Value {
    try builder.scope(name) { () throws(SDError) in
      let weight = try builder.moduleParameter("weight", [channels, type.lastDimension, kernel, kernel])
      let bias = try builder.moduleParameter("bias", [channels])
      return try conv2d(weight, bias, stride: stride, padding: padding ?? Padding(kernel / 2))
    }
  }

  /// A product of rows [..., C] with a weight (`torch.nn.Linear`).
  ///
  /// - Tensors: weight [width, C], bias [width].
  func linear(_ name: String, to width: Int, bias: Bool = true) throws(SDError) -> Value {
    try builder.scope(name) { () throws(SDError) in
      let weight = try builder.moduleParameter("weight", [width, type.lastDimension])
      return try linear(weight, bias ? builder.moduleParameter("bias", [width]) : nil)
    }
  }

  /// Groups of channels of [B, ..., C] normalized, scaled and shifted (`torch.nn.GroupNorm`).
  ///
  /// - Tensors: weight [C], bias [C].
  func groupNorm(_ name: String, groups: Int, eps: Double) throws(SDError) -> Value {
    try builder.scope(name) { () throws(SDError) in
      let weight = try builder.moduleParameter("weight", [type.lastDimension])
      let bias = try builder.moduleParameter("bias", [type.lastDimension])
      return try groupNorm(weight, bias, groups: groups, eps: Float(eps))
    }
  }

  /// Rows [..., C] normalized, scaled and shifted (`torch.nn.LayerNorm`).
  ///
  /// - Tensors: weight [C], bias [C].
  func layerNorm(_ name: String, eps: Double) throws(SDError) -> Value {
    try builder.scope(name) { () throws(SDError) in
      let weight = try builder.moduleParameter("weight", [type.lastDimension])
      let bias = try builder.moduleParameter("bias", [type.lastDimension])
      return try layerNorm(weight, bias, eps: Float(eps))
    }
  }
}

extension GraphBuilder {
  /// A float32 tensor of the module at the current location, which is the graph's name and the module's path.
  func moduleParameter(_ name: String, _ shape: [Int]) throws(SDError) -> Value {
    let path = location.dropFirst(graph.name.count + 1)
    return try parameter(path.isEmpty ? name : "\(path).\(name)", shape)
  }

  /// Refuses sizes of graphs that are not positive.
  ///
  /// - Throws: `.usage` with the name and value of the first that is not.
  func requirePositive(_ sizes: KeyValuePairs<String, Int>) throws(SDError) {
    for (name, size) in sizes where size < 1 {
      throw SDError(.usage, "\(graph.name): \(name) must be at least 1, it is \(size)")
    }
  }
}
