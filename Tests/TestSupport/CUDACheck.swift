package import GraphIR
package import GraphRuntime

/// Compares the kernels of GPUs (`TestGPU`) with the meaning of an op: on dense operands, on views in pieces of 16 bytes and
/// on views of any alignment; and with the result written over an operand where the kernel can do so.
package struct CUDACheck {
  /// The operation.
  package let op: any Op
  /// The operands that are weights.
  package var weights: Set<Int>
  /// The values of an operand, drawn uniformly; −1 … 1 unless told otherwise.
  package var ranges: [Int: ClosedRange<Float>] = [:]
  /// Integer operands: each element is drawn from 0 ..< bound.
  package var bound = 1
  /// By element type of a result, the greatest normalized mean squared error.
  package var tolerance: [DType: Double] = [.f32: 1e-10, .f16: 1e-6, .bf16: 2e-5]
  /// How calls are cut, as if it was measured.
  package var cuts: [String: ConvCut] = [:]
  /// Columns in front of and behind those of an operand that is a view.
  package var gaps = [0, 8, 3]

  package init(_ op: any Op, weights: Set<Int> = []) { (self.op, self.weights) = (op, weights) }

  /// Checks one case; returns the kernels that were launched.
  @discardableResult
  package func run(operands: [TensorType]) throws -> Set<String> {
    var kernels: Set<String> = []
    for gpu in TestGPU.all {
      try gpu.use { device in
        var device = device
        device.gpu.cuts = cuts
        for gap in gaps { kernels.formUnion(try run(operands, gap: gap, on: device)) }
        try run(operands, gap: 0, copied: true, on: device)
      }
    }
    return kernels
  }

  private func name(_ types: [TensorType]) -> String {
    "[\(type(of: op).id)] (\(types.map(\.description).joined(separator: ", ")))"
  }

  /// - Parameter copied: whether operands and results are buffers of the arena, so that one can replace another; nothing is
  ///   run where none does.
  @discardableResult
  private func run(_ types: [TensorType], gap: Int, copied: Bool = false, on device: CUDADevice) throws -> Set<String> {
    let builder = GraphBuilder(name: "check")
    var (values, inputs, parameters): ([Value], [String: Tensor], [String: Tensor]) = ([], [:], [:])
    for (index, type) in types.enumerated() {
      let isView = gap > 0 && !weights.contains(index) && type.rank > 0
      let wide = isView ? type.with(shape: type.shape.dropLast() + [type.lastDimension + 2 * gap]) : type
      var tensor = Tensor.random(wide, seed: UInt64(index + 1), in: ranges[index] ?? -1...1)
      if !type.dtype.isFloat {
        tensor = Tensor(wide, (0..<wide.count).map { Float($0 * 7 % bound) })
      }
      if weights.contains(index) {
        parameters["\(index)"] = tensor
        values.append(try builder.add(Parameter(name: "\(index)", type: type), []))
      } else {
        inputs["\(index)"] = tensor
        let value = try builder.input("\(index)", wide)
        let view = try isView ? value.sliced(gap..<gap + type.lastDimension) : value
        values.append(try copied && type.dtype.isFloat ? view.applying(Cast(dtype: type.dtype)) : view)
      }
    }
    for (index, result) in try builder.results(of: op, values).enumerated() {
      try builder.output("out\(index)", copied ? result.applying(Cast(dtype: result.type.dtype)) : result)
    }
    let program = try lower(builder.graph, with: device.library)
    if copied, program.buffers.allSatisfy({ $0.replaces == nil }) { return [] }
    let known = parameters
    let expected = try Interpreter().run(builder.graph, inputs: inputs) { known[$0.name] ?? Tensor($0.type, []) }
    let given = try TestSupport.run(
      builder.graph, on: device, inputs,
      fill: { (arena) throws(SDError) in
        try device.context.fill(arena.address, byteCount: arena.byteCount, 0xFF)
      }, parameters: { known[$0.name] ?? Tensor($0.type, []) })
    for (name, wanted) in expected {
      let error = nmse(given[name]?.values ?? [], wanted.values)
      guard given[name]?.values.count == wanted.values.count, error <= tolerance[wanted.type.dtype] ?? 0 else {
        throw SDError(
          .numerics,
          "\(self.name(types)), gap \(gap)\(copied ? ", in place" : ""), \(device.gpu.architecture): NMSE \(error)")
      }
    }
    return Set(program.steps.map(\.kernel.name))
  }
}

extension CubinCache {
  /// Gives the fake driver what it loads.
  package static var fake: CubinCache {
    CubinCache(folder: nil, version: { "fake" }, compile: { (_) throws(SDError) in FakeCUDA.cubin })
  }
}
