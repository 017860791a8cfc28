import CKernels
public import GraphIR

extension FusedConv: CPULowerable {
  /// Any number of sources with constant weights; gates with GELU. bf16 by bf16 is multiplied in pairs where the
  /// processor can, everything else in float32.
  public func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel? {
    guard let inPairs = multipliesPairs(node, on: cpu) else { return nil }
    let layouts = weightLayouts(node, inPairs: inPairs)
    let shapes = ConvArguments(self, node.placeholders, layouts)
    let measured = cpu.blockings.isEmpty ? nil : cpu.blockings[GraphText.call(self, node.operands)]
    let blocking = measured ?? shapes.blockings(inPairs: inPairs, on: cpu)[0]
    shapes.conv.pointee.blocking = blocking.ck
    guard node.results.count == 1 || (inPairs && ck_conv_bf16_has_statistics(shapes.conv) != 0) else { return nil }
    // What would be normalized anew for each of several groups of columns is cheaper normalized once, before.
    guard !sources.contains(where: { $0.normalize != nil }) || ck_conv_bf16_copies(shapes.conv) == 1 else { return nil }
    let parts = inPairs ? ck_conv_bf16_parts(shapes.conv) : ck_conv_parts(shapes.conv)
    let name = inPairs ? "conv_bf16" : layouts.values.contains(.winograd) ? "conv_winograd" : "conv"
    return CPUKernel(
      "\(name).\(cpu.level.rawValue)", parts: parts,
      scratchBytes: inPairs ? ck_conv_bf16_scratch(shapes.conv) : ck_conv_scratch(shapes.conv),
      denseOperands: Set(normalizationOperands.compactMap(\.self)), inPlaceOperands: residualOperands,
      weightLayouts: layouts
    ) { tensors in
      let arguments = ConvArguments(self, tensors, layouts)
      arguments.conv.pointee.blocking = blocking.ck
      let function = inPairs ? cpu.kernels.pointee.conv_bf16 : cpu.kernels.pointee.conv
      return { part, scratch in function?(arguments.conv, part, parts, scratch) }
    }
  }

  /// Blockings of a call that are worth a measurement, the one that is predicted to be fastest first; none for a call
  /// that has no kernel.
  func blockings(_ node: KernelSignature, on cpu: CPU) -> [Blocking] {
    guard let inPairs = multipliesPairs(node, on: cpu) else { return [] }
    let shapes = ConvArguments(self, node.placeholders, weightLayouts(node, inPairs: inPairs))
    return shapes.blockings(inPairs: inPairs, on: cpu)
  }

  var weightLayout: WeightLayout { epilogues.contains(.gate(.gelu)) ? .panel32Gated : .panel32 }

  /// The most numbers of a tap that are worth about twice as many: widths with more of them meet few pixels.
  private static let winogradLimit = 1920 * 640

  /// The layouts of the weights, by operand. Sixteen products of F(2×2, 3×3) do for 36, and in phases nine of F(2×2, 2×2) for
  /// sixteen, so convolutions in float32 are computed so where channels fill vectors and panels, and where pixels are many
  /// enough for the larger weights.
  private func weightLayouts(_ node: KernelSignature, inPairs: Bool) -> [Int: WeightLayout] {
    let layouts = sources.indices.map { index in
      let (source, x, w) = (sources[index], node.operands[2 * index], node.operands[2 * index + 1])
      guard !inPairs, WeightLayout.winograd.accepts(w), x.dtype == .f32,
        source == (w.shape[3] == 3 ? Source(padding: Padding(1)) : Source(phases: true)), x.shape[1] % 2 == 0,
        x.shape[2] % 2 == 0, w.shape[1] % 16 == 0, min(w.shape[0], w.shape[1]) >= 32,
        w.shape[0] * w.shape[1] <= FusedConv.winogradLimit
      else { return (2 * index + 1, weightLayout) }
      return (2 * index + 1, WeightLayout.winograd)
    }
    return Dictionary(uniqueKeysWithValues: layouts)
  }

  /// Whether a kernel for a call multiplies pairs of bf16; nil when there is none.
  func multipliesPairs(_ node: KernelSignature, on cpu: CPU) -> Bool? {
    let gates = epilogues.filter { if case .gate = $0 { true } else { false } }
    let weights = sources.indices.map { 2 * $0 + 1 }
    guard node.isFloat, weights.allSatisfy({ node.isWeight[$0] }), gates.isEmpty || gates == [.gate(.gelu)]
    else { return nil }
    // One kernel call sees images or rows, not both, and at least one channel.
    guard weights.allSatisfy({ weightLayout.accepts(node.operands[$0]) && node.operands[$0].shape[1] > 0 }),
      Set(weights.map { node.operands[$0].rank }).count == 1
    else { return nil }

    // The rows of phases are not those of a residual.
    if sources.contains(where: \.phases), sources.count > 1 || epilogues.contains(.residual) { return nil }

    let inPairs = cpu.multipliesBF16 && node.operands.prefix(2 * sources.count).allSatisfy { $0.dtype == .bf16 }
    // Only strips that are copied can be normalized on the way.
    let norms = sources.compactMap(\.normalize)
    guard norms.isEmpty || inPairs, norms.allSatisfy({ $0.activation == nil || $0.activation == .silu })
    else { return nil }
    return inPairs
  }
}

extension Conv2D: CPULowerable {
  /// The fused convolution with nothing behind it.
  public func cpuKernel(_ node: KernelSignature, on cpu: CPU) -> CPUKernel? {
    let source = FusedConv.Source(stride: stride, padding: padding)
    return FusedConv(sources: [source], dtype: node.results[0].dtype).cpuKernel(node, on: cpu)
  }
}

/// The arguments of one convolution at fixed addresses.
final class ConvArguments: @unchecked Sendable {
  let conv: UnsafeMutablePointer<ck_conv>
  private let sources: UnsafeMutablePointer<ck_source>
  private let epilogues: UnsafeMutablePointer<ck_epilogue>
  private let norms: UnsafeMutablePointer<ck_normalize>

  init(_ op: FusedConv, _ tensors: KernelTensors, _ layouts: [Int: WeightLayout] = [:]) {
    conv = .allocate(capacity: 1)
    sources = .allocate(capacity: op.sources.count)
    epilogues = .allocate(capacity: max(1, op.epilogues.count))
    norms = .allocate(capacity: op.sources.count)
    let result = tensors.results[0]
    let weight = tensors.operands[1].type
    var shape = ck_conv()
    // A matrix product is an image of one line a sample; samples matter only to rows that are added per sample and to
    // statistics.
    let (isImage, hasStatistics) = (weight.rank == 4, tensors.results.count > 1)
    shape.samples = isImage || hasStatistics || op.epilogues.contains(.row) ? result.type.shape[0] : 1
    shape.out_h = isImage ? result.type.shape[1] : 1
    shape.out_w = isImage ? result.type.shape[2] : result.rows / max(1, shape.samples)
    shape.phases = 1
    if op.sources.contains(where: \.phases) {
      (shape.phases, shape.out_h, shape.out_w) = (2, shape.out_h / 2, shape.out_w / 2)
    }
    shape.columns = weight.shape[0]
    shape.gated = op.epilogues.contains(.gate(.gelu)) ? 1 : 0
    (shape.y, shape.y_dtype, shape.y_pitch) = (result.base, result.type.dtype.ck, result.pitch)
    (shape.source_count, shape.epilogue_count) = (op.sources.count, op.epilogues.count)
    if hasStatistics {
      shape.statistics = tensors.results[1].base.assumingMemoryBound(to: Float.self)
      shape.statistics_parts = tensors.results[1].type.shape[0]
    }
    shape.sources = UnsafePointer(sources)
    shape.epilogues = UnsafePointer(epilogues)
    for (index, source) in op.sources.enumerated() {
      (sources + index).initialize(
        to: ck_source(source, tensors.operands[2 * index], tensors.operands[2 * index + 1], shape))
      if layouts[2 * index + 1] == .winograd { sources[index].winograd = 1 }
    }
    for (index, next) in op.normalizationOperands.enumerated() {
      guard let next, let norm = op.sources[index].normalize else { continue }
      (norms + index).initialize(to: ck_normalize(norm, tensors.operands[2 * index], tensors.operands[next..<next + 3]))
      sources[index].normalize = UnsafePointer(norms + index)
    }
    var next = op.epilogueOperands
    for (index, epilogue) in op.epilogues.enumerated() {
      let operand = epilogue.hasOperand ? tensors.operands[next] : nil
      if epilogue.hasOperand { next += 1 }
      (epilogues + index).initialize(to: ck_epilogue(epilogue, operand))
    }
    conv.initialize(to: shape)
  }

  /// Lets the first source read another image, of the same shape.
  func read(_ image: UnsafeRawPointer) { sources[0].x = image }

  deinit {
    conv.deallocate()
    sources.deallocate()
    epilogues.deallocate()
    norms.deallocate()
  }
}

extension ck_source {
  fileprivate init(_ source: FusedConv.Source, _ x: TensorView, _ weight: TensorView, _ conv: ck_conv) {
    self.init()
    (self.x, dtype, pitch) = (UnsafeRawPointer(x.base), x.type.dtype.ck, x.pitch)
    (weights, weights_dtype) = (UnsafeRawPointer(weight.base), weight.type.dtype.ck)
    channels = weight.type.shape[1]
    let isImage = weight.type.rank == 4
    in_h = isImage ? x.type.shape[1] : 1
    in_w = isImage ? x.type.shape[2] : conv.out_w
    up_h = source.upsample?[0] ?? in_h
    up_w = source.upsample?[1] ?? in_w
    kernel_h = isImage ? weight.type.shape[2] / (source.phases ? 4 : 1) : 1
    kernel_w = isImage ? weight.type.shape[3] : 1
    (stride_y, stride_x) = (source.stride, source.stride)
    (pad_top, pad_left) = (source.padding.top, source.padding.left)
  }
}

extension ck_epilogue {
  fileprivate init(_ epilogue: FusedConv.Epilogue, _ operand: TensorView?) {
    self.init()
    if let operand {
      (x, dtype, pitch) = (UnsafeRawPointer(operand.base), operand.type.dtype.ck, operand.pitch)
    }
    switch epilogue {
    case .bias: kind = CK_BIAS
    case .row:
      kind = CK_ROW
      if operand?.type.shape.first == 1 { pitch = 0 }
    case .residual: kind = CK_RESIDUAL
    case .activation(let function): (kind, activation) = (CK_ACTIVATION, function.ck)
    case .gate: kind = CK_GATE
    }
  }
}

extension Activation {
  /// The kernels' name for this function.
  var ck: ck_activation {
    switch self {
    case .silu: CK_SILU
    case .gelu: CK_GELU
    case .quickGELU: CK_QUICK_GELU
    }
  }
}
