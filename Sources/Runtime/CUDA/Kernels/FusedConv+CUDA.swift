import CCUDA
package import GraphIR

extension FusedConv: CUDALowerable {
  /// Implicit GEMM: on tensor cores where sources and weights are in one 16-bit type and have channels in eights and at
  /// most 32 taps, in float32 arithmetic otherwise. Normalizations are not taken in.
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? {
    let weights = sources.indices.map { 2 * $0 + 1 }
    guard node.isFloat, sources.count <= Int(CU_SOURCES), epilogues.count <= Int(CU_EPILOGUES),
      sources.allSatisfy({ $0.normalize == nil }), hasOneGate,
      // One call sees images or rows, and phases have rows of their own.
      Set(weights.map { node.operands[$0].rank }).count == 1, sources.count == 1 || !sources[0].phases
    else { return nil }
    let shape = cu_conv(self, node.cudaPlaceholders)
    let measured = gpu.cuts.isEmpty ? nil : gpu.cuts[GraphText.call(self, node.operands)]
    let plan = ConvPlan(shape, multipliesOnTensorCores(node) ? gpu : nil, measured)
    let layouts = weights.filter { node.operands[$0].rank == 4 && node.isWeight[$0] }.map { ($0, WeightLayout.rows) }
    let moved = weights.filter { node.operands[$0].rank == 4 && !node.isWeight[$0] }
    let movedBytes = moved.map { MemoryPlanner.aligned(node.operands[$0].byteCount) }
    return CUDAKernel(
      plan.name, weightLayouts: Dictionary(uniqueKeysWithValues: layouts), inPlaceOperands: residualOperands,
      scratchBytes: plan.scratchBytes + movedBytes.reduce(0, +)
    ) { tensors in
      // Weights that are known at run time only are brought into order first.
      var (tensors, calls) = (tensors, [CUDACall]())
      var place = tensors.scratch + UInt64(plan.scratchBytes)
      for (index, bytes) in zip(moved, movedBytes) {
        let w = tensors.operands[index]
        let axes = zip([0, 2, 3, 1], CUDAView(address: 0, w.type.channelsLast).strides).map {
          StridedLoops.Axis(size: w.type.shape[$0], y: $1, a: w.strides[$0])
        }
        calls.append(moveCall(w.address, to: place, StridedLoops(axes), elementBytes: w.type.dtype.size))
        tensors.operands[index] = CUDAView(address: place, w.type)
        place += UInt64(bytes)
      }
      return calls + plan.calls(cu_conv(self, tensors), tensors)
    }
  }

  /// Cuts of a call that are worth a measurement, the one that is predicted to be fastest first; none for a call that is not
  /// multiplied on tensor cores.
  func cuts(_ node: KernelSignature, on gpu: GPU) -> [ConvCut] {
    guard cudaKernel(node, on: gpu) != nil, multipliesOnTensorCores(node) else { return [] }
    return ConvPlan.cuts(cu_conv(self, node.cudaPlaceholders), gpu)
  }

  private func multipliesOnTensorCores(_ node: KernelSignature) -> Bool {
    let products = node.operands.prefix(2 * sources.count)
    return Set(products.map(\.dtype)).count == 1 && products[0].dtype.size == 2
      && sources.indices.allSatisfy {
        node.operands[2 * $0].lastDimension % 8 == 0 && node.operands[2 * $0 + 1].shape.dropFirst(2).reduce(1, *) <= 32
      }
  }

  /// Functions follow the gate, which itself comes once.
  private var hasOneGate: Bool {
    let gate = epilogues.firstIndex { if case .gate = $0 { true } else { false } }
    guard let gate else { return true }
    let (before, behind) = (epilogues[..<gate], epilogues[(gate + 1)...])
    return !before.contains { if case .activation = $0 { true } else { false } }
      && !behind.contains { if case .gate = $0 { true } else { false } }
  }
}

extension Conv2D: CUDALowerable {
  /// The fused convolution with nothing behind it.
  package func cudaKernel(_ node: KernelSignature, on gpu: GPU) -> CUDAKernel? {
    let source = FusedConv.Source(stride: stride, padding: padding)
    return FusedConv(sources: [source], dtype: node.results[0].dtype).cudaKernel(node, on: gpu)
  }
}

extension TensorType {
  /// `[O, C, kh, kw]` as `[O, kh, kw, C]`.
  fileprivate var channelsLast: TensorType { with(shape: [shape[0], shape[2], shape[3], shape[1]]) }
}

extension cu_conv {
  fileprivate init(_ op: FusedConv, _ tensors: CUDATensors) {
    self.init()
    let (y, weight) = (tensors.results[0], tensors.operands[1].type)
    // A matrix product is an image of one line a sample; samples matter only to rows that are added per sample.
    let isImage = weight.rank == 4
    let samples = isImage || op.epilogues.contains(.row) ? y.type.shape[0] : 1
    var size = isImage ? (y.type.shape[1], y.type.shape[2]) : (1, y.rows / max(1, samples))
    phases = 1
    if op.sources.contains(where: \.phases) { (phases, size) = (2, (size.0 / 2, size.1 / 2)) }
    (self.samples, out_h, out_w) = (samples.int32, size.0.int32, size.1.int32)
    (columns, gated, batch_inner) = (weight.shape[0].int32, 0, 1)
    (self.y, y_dtype, y_pitch) = (y.address, y.type.dtype.cu, y.pitch.int32)
    aligned = 1
    align(y)
    (source_count, epilogue_count) = (op.sources.count.int32, op.epilogues.count.int32)
    let all = op.sources.enumerated().map { index, source in
      cu_source(source, tensors.operands[2 * index], tensors.operands[2 * index + 1], width: size.1)
    }
    withUnsafeMutableBytes(of: &sources) { bytes in
      for (index, source) in all.enumerated() { bytes.bindMemory(to: cu_source.self)[index] = source }
    }
    var next = op.epilogueOperands
    for (index, epilogue) in op.epilogues.enumerated() {
      let operand = epilogue.hasOperand ? tensors.operands[next] : nil
      if let operand {
        align(operand)
        next += 1
      }
      if case .gate = epilogue { gated = 1 }
      withUnsafeMutableBytes(of: &epilogues) {
        $0.bindMemory(to: cu_epilogue.self)[index] = cu_epilogue(epilogue, operand)
      }
    }
    if columns % (gated == 1 ? 16 : 8) != 0 { aligned = 0 }
  }

  /// Eight columns are moved at a time where that can be done everywhere.
  private mutating func align(_ view: CUDAView) { if !view.isAligned { aligned = 0 } }

  /// Whether the tensor cores' kernels can read all operands in pieces of 16 bytes.
  fileprivate var isReadInPieces: Bool {
    var conv = self
    let strides = [x_strides.0, x_strides.1, w_strides.0, w_strides.1]
    return strides.allSatisfy { $0 % 8 == 0 }
      && withUnsafeBytes(of: &conv.sources) { bytes in
        bytes.bindMemory(to: cu_source.self).prefix(Int(source_count)).allSatisfy {
          $0.x % 16 == 0 && $0.w % 16 == 0 && $0.pitch % 8 == 0 && $0.w_pitch % 8 == 0
        }
      }
  }

  /// Pieces of 64 k, and those whose pixels are new to a multiprocessor: taps of a line see nearly the same ones.
  fileprivate var pieces: (all: Int, new: Int) {
    var conv = self
    return withUnsafeBytes(of: &conv.sources) { bytes in
      bytes.bindMemory(to: cu_source.self).prefix(Int(source_count)).reduce((0, 0)) {
        let lines = Int($1.kernel_h) * dividedUp(Int($1.channels), 64)
        return ($0.0 + Int($1.kernel_w) * lines, $0.1 + lines)
      }
    }
  }
}

extension cu_source {
  fileprivate init(_ source: FusedConv.Source, _ x: CUDAView, _ weight: CUDAView, width: Int) {
    self.init()
    let isImage = weight.type.rank == 4
    let taps = isImage ? weight.type.shape[2] * weight.type.shape[3] : 1
    (self.x, x_dtype, pitch) = (x.address, x.type.dtype.cu, x.pitch.int32)
    (w, w_dtype, channels) = (weight.address, weight.type.dtype.cu, weight.type.shape[1].int32)
    w_pitch = isImage ? (taps * weight.type.shape[1]).int32 : weight.pitch.int32
    (in_h, in_w) = isImage ? (x.type.shape[1].int32, x.type.shape[2].int32) : (1, width.int32)
    (up_h, up_w) = (source.upsample?[0].int32 ?? in_h, source.upsample?[1].int32 ?? in_w)
    kernel_h = isImage ? (weight.type.shape[2] / (source.phases ? 4 : 1)).int32 : 1
    kernel_w = isImage ? weight.type.shape[3].int32 : 1
    (stride, pad_top, pad_left) = (source.stride.int32, source.padding.top.int32, source.padding.left.int32)
  }
}

extension cu_epilogue {
  fileprivate init(_ epilogue: FusedConv.Epilogue, _ operand: CUDAView?) {
    self.init()
    if let operand { (x, dtype, pitch) = (operand.address, operand.type.dtype.cu, operand.pitch.int32) }
    switch epilogue {
    case .bias: kind = Int32(CU_BIAS.rawValue)
    case .row:
      kind = Int32(CU_ROW.rawValue)
      if operand?.type.shape.first == 1 { pitch = 0 }
    case .residual: kind = Int32(CU_RESIDUAL.rawValue)
    case .activation(let activation): (kind, function) = (Int32(CU_ACTIVATION.rawValue), activation.cu)
    case .gate(let activation): (kind, function) = (Int32(CU_GATE.rawValue), activation.cu)
    }
  }
}

/// What a block of the tensor cores' kernels computes; `TILES` in conv.cu has the same list.
struct ConvTile: Hashable, Sendable {
  let rows: Int
  let columns: Int
  /// Pieces of K that are on their way at a time.
  let stages: Int

  static let all = [
    ConvTile(rows: 256, columns: 128, stages: 3), ConvTile(rows: 128, columns: 160, stages: 4),
    ConvTile(rows: 128, columns: 128, stages: 3), ConvTile(rows: 128, columns: 64, stages: 4),
    ConvTile(rows: 64, columns: 64, stages: 4),
  ]

  var name: String { "\(rows)x\(columns)" }
  /// Blocks of a multiprocessor at a time, as launch bounds and shared memory have it.
  func residents(_ gpu: GPU) -> Int { max(1, min(rows == 64 ? 3 : 2, gpu.sharedBytesPerBlock / sharedBytes)) }
  /// A piece is 128 bytes of each row and column; the sums go through the same memory, in lines of `pitch_of` in conv.cu.
  var sharedBytes: Int { max(stages * (rows + columns) * 128, rows * (columns + 8) * 4) }
}

/// How a convolution or product is cut into blocks on tensor cores.
package struct ConvCut: Hashable, Sendable {
  /// What a block computes.
  let tile: ConvTile
  /// Parts of K, summed by the last one that is done.
  let splits: Int
}

/// A convolution or product as launches.
struct ConvPlan: Sendable {
  /// Nil for float32 arithmetic.
  private let cut: ConvCut?
  /// Bytes of the sums of the parts.
  let scratchBytes: Int

  /// On tensor cores where a GPU is given, cut as measured if that is possible, else as predicted to be fastest.
  init(_ conv: cu_conv, batch: Int = 1, _ gpu: GPU?, _ measured: ConvCut? = nil) {
    let cuts = gpu.map { ConvPlan.cuts(conv, batch: batch, $0) } ?? []
    cut = cuts.first { $0 == measured } ?? cuts.first
    guard let cut, cut.splits > 1 else {
      scratchBytes = 0
      return
    }
    scratchBytes = ConvPlan.tiles(conv, batch: batch, cut.tile) * cut.splits * cut.tile.rows * cut.tile.columns * 4
  }

  /// All cuts that are possible, the one that is predicted to be fastest first.
  static func cuts(_ conv: cu_conv, batch: Int = 1, _ gpu: GPU) -> [ConvCut] {
    let pieces = conv.pieces
    var costs: [(cost: Double, cut: ConvCut)] = []
    for tile in ConvTile.all where tile.sharedBytes <= gpu.sharedBytesPerBlock {
      let tiles = tiles(conv, batch: batch, tile)
      for splits in 1...16 where splits == 1 || (splits <= pieces.all / 4 && tiles <= CUDAKernel.counters) {
        let cost = cycles(tile, tiles: tiles, pieces: pieces, splits: splits, gpu)
        costs.append((cost, ConvCut(tile: tile, splits: splits)))
      }
    }
    // Sorting is not promised to be stable.
    return costs.enumerated().sorted { ($0.element.cost, $0.offset) < ($1.element.cost, $1.offset) }.map(\.element.cut)
  }

  private static func tiles(_ conv: cu_conv, batch: Int, _ tile: ConvTile) -> Int {
    let rows = Int(conv.samples) * Int(conv.out_h) * Int(conv.out_w)
    let images = conv.phases == 2 ? 4 : batch
    return dividedUp(rows, tile.rows) * dividedUp(Int(conv.columns), tile.columns) * images
  }

  /// Cycles that the slowest multiprocessor is expected to take.
  private static func cycles(
    _ tile: ConvTile, tiles: Int, pieces: (all: Int, new: Int), splits: Int, _ gpu: GPU
  ) -> Double {
    let products = Double(tile.rows * tile.columns * 64 * 2) / min(gpu.architecture.flopsPerCycle, 4096)
    // What a multiprocessor gets out of the second cache: 28 bytes a cycle on an H100, while all of them read.
    let loads = Double((tile.rows * pieces.new / max(1, pieces.all) + tile.columns) * 128) / 28
    let depth = Double(dividedUp(pieces.all, splits))
    let blocks = Double(dividedUp(tiles * splits, gpu.multiprocessors))
    let sums = Double(tile.rows * tile.columns)
    // Filling and emptying the pipeline, and the epilogues, while another block that is there may multiply; then the sums of
    // the parts, written once and read by the last block.
    let ends = (3000 + sums / 8) * Double(dividedUp(Int(blocks), tile.residents(gpu)))
    let merging = splits > 1 ? 2000 + Double(1 + splits) * sums * 4 / 20 : 0
    return blocks * depth * max(products, loads) + ends + merging
  }

  /// The kernel for a type and a tile.
  static func function(_ dtype: DType, _ tile: ConvTile) -> String { "conv_\(dtype.rawValue)_\(tile.name)" }

  /// What profiles call it.
  var name: String {
    cut.map { "conv_\($0.tile.name)" + ($0.splits > 1 ? "/\($0.splits)" : "") } ?? "conv_direct"
  }

  /// The launches, nearly always one; operands that are not aligned after all are multiplied in float32 arithmetic.
  ///
  /// - Parameter tensors: whose scratch memory and counters it is.
  func calls(_ conv: cu_conv, batch: Int = 1, _ tensors: CUDATensors) -> [CUDACall] {
    var conv = conv
    let batch = conv.phases == 2 ? 4 : batch
    let rows = Int(conv.samples) * Int(conv.out_h) * Int(conv.out_w)
    if rows == 0 || conv.columns == 0 || batch == 0 { return [] }
    let cut = conv.isReadInPieces ? cut : nil
    let tile = cut?.tile
    let (tilesM, tilesN) = (dividedUp(rows, tile?.rows ?? 64), dividedUp(Int(conv.columns), tile?.columns ?? 64))
    (conv.tiles_m, conv.tiles_n, conv.splits) = (tilesM.int32, tilesN.int32, 1)
    if let cut {
      conv.splits = cut.splits.int32
      (conv.counters, conv.partials) = (tensors.counters, tensors.scratch)
    }
    let dtype: DType = conv.sources.0.x_dtype == DType.f16.cu ? .f16 : .bf16
    // No grid is higher.
    return stride(from: 0, to: batch, by: 65_535).map { first in
      conv.batch_first = first.int32
      let (tiles, count) = (tilesM * tilesN, min(65_535, batch - first))
      guard let cut else { return CUDACall(.convDirect, "conv_direct", grid: (tiles, 1, count), block: 256, conv) }
      return CUDACall(
        .conv, ConvPlan.function(dtype, cut.tile), grid: (tiles, cut.splits, count), block: 2 * cut.tile.rows,
        sharedBytes: cut.tile.sharedBytes, conv)
    }
  }
}

/// A batch of matrix products z = x wᵀ, w `[N, K]`: operands in their places, and how far those of the next one are.
struct ProductBatch {
  var x: CUDAView
  var w: CUDAView
  var z: CUDAView
  /// x, w and z hold one product; here are the others: z (y), x (a) and w (b) by the loops' names.
  var loops: StridedLoops
  /// Rows of x, columns of z, and columns of x.
  var (m, n, k): (Int, Int, Int)

  /// Loops further out than two are run by the host.
  private var inner: [StridedLoops.Axis] { Array(loops.axes.suffix(2)) }
  private var batch: Int { inner.reduce(1) { $0 * $1.size } }

  private func conv(_ offset: (x: Int, w: Int, z: Int)) -> cu_conv {
    var source = cu_source()
    source.x = x.address + UInt64(offset.x * x.type.dtype.size)
    source.w = w.address + UInt64(offset.w * w.type.dtype.size)
    (source.x_dtype, source.pitch, source.w_dtype) = (x.type.dtype.cu, x.pitch.int32, w.type.dtype.cu)
    (source.w_pitch, source.channels) = (w.pitch.int32, k.int32)
    (source.in_h, source.up_h, source.in_w, source.up_w) = (1, 1, m.int32, m.int32)
    (source.kernel_h, source.kernel_w, source.stride) = (1, 1, 1)
    var conv = cu_conv()
    (conv.sources.0, conv.source_count) = (source, 1)
    (conv.samples, conv.out_h, conv.out_w, conv.phases, conv.columns) = (1, 1, m.int32, 1, n.int32)
    conv.y = z.address + UInt64(offset.z * z.type.dtype.size)
    (conv.y_dtype, conv.y_pitch) = (z.type.dtype.cu, z.pitch.int32)
    conv.aligned = z.isAligned && n % 8 == 0 && inner.allSatisfy { $0.y % 8 == 0 } && offset.z % 8 == 0 ? 1 : 0
    let (last, outer) = (inner.last, inner.count == 2 ? inner[0] : nil)
    conv.batch_inner = (last?.size ?? 1).int32
    conv.x_strides = (Int64(outer?.a ?? 0), Int64(last?.a ?? 0))
    conv.w_strides = (Int64(outer?.b ?? 0), Int64(last?.b ?? 0))
    conv.y_strides = (Int64(outer?.y ?? 0), Int64(last?.y ?? 0))
    return conv
  }

  /// How it is cut; a GPU where it may be done on tensor cores.
  func plan(_ gpu: GPU?) -> ConvPlan {
    let isNarrow = x.type.dtype.size == 2 && x.type.dtype == w.type.dtype && k % 8 == 0
    return ConvPlan(conv((0, 0, 0)), batch: batch, isNarrow ? gpu : nil)
  }

  func calls(_ plan: ConvPlan, _ tensors: CUDATensors) -> [CUDACall] {
    var offsets = [(x: 0, w: 0, z: 0)]
    for axis in loops.axes.dropLast(2) {
      offsets = offsets.flatMap { offset in
        (0..<axis.size).map { (offset.x + $0 * axis.a, offset.w + $0 * axis.b, offset.z + $0 * axis.y) }
      }
    }
    return offsets.flatMap { plan.calls(conv($0), batch: batch, tensors) }
  }
}
