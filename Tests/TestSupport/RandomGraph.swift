package import GraphIR

/// Builds valid random graphs of all registered ops; the same seed gives the same graph.
///
/// Every value that nothing uses becomes an output, so the graphs pass the verifier. Dimensions are small enough
/// for the interpreter.
package struct RandomGraph {
  private var random: SplitMix64
  private let builder: GraphBuilder
  private var values: [Value] = []

  /// A graph of `steps` ops on random operands, and the leaves that they need.
  package static func make(seed: UInt64, steps: Int = 12) throws(SDError) -> Graph {
    var maker = RandomGraph(seed: seed)
    for _ in 0..<steps {
      let recipe = maker.element(recipes)
      let scope = maker.element(["conv_in", "down.0", "Ω \"quoted\" \\ back", "mid"])
      let result = try maker.builder.scope(scope) { () throws(SDError) in try recipe.make(&maker) }
      maker.values.append(result)
    }
    let uses = maker.builder.graph.useCounts()
    for id in maker.builder.graph.ids where uses[id.index] == 0 {
      for result in maker.builder.graph[id].types.indices {
        try maker.builder.output("out.\(id.index).\(result)", maker.builder.value(ValueID(id, result)))
      }
    }
    return maker.builder.graph
  }

  /// Names of the ops that the graphs may contain.
  package static var opNames: [String] { recipes.flatMap(\.names) }

  /// Tensors for a graph's inputs; integers are zero, which every table has.
  package static func inputs(of graph: Graph, seed: UInt64) -> [String: Tensor] {
    var tensors: [String: Tensor] = [:]
    for (id, input) in graph.inputs { tensors[input.name] = tensor(input.type, seed &+ UInt64(id.index)) }
    return tensors
  }

  /// The tensor of a parameter, random by its name's length and the seed.
  package static func parameter(_ parameter: Parameter, seed: UInt64) -> Tensor {
    tensor(parameter.type, seed &+ parameter.name.utf8.reduce(0) { $0 &* 31 &+ UInt64($1) })
  }

  private static func tensor(_ type: TensorType, _ seed: UInt64) -> Tensor {
    type.dtype.isFloat
      ? .random(type, seed: seed, in: -1...1) : Tensor(type, [Float](repeating: 0, count: type.count))
  }

  private init(seed: UInt64) {
    random = SplitMix64(seed: seed)
    builder = GraphBuilder(name: "random \(seed)")
  }

  // MARK: Choices

  private mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
  private mutating func bool() -> Bool { Bool.random(using: &random) }
  private mutating func float() -> Float { Float.random(in: 0.001...2, using: &random) }
  private mutating func element<Element>(_ choices: [Element]) -> Element {
    choices[number(0...choices.count - 1)]
  }
  private mutating func dtype() -> DType { element([.f32, .f16, .bf16]) }
  private mutating func shape(_ rank: ClosedRange<Int>) -> [Int] {
    (0..<number(rank)).map { _ in number(1...4) }
  }

  /// A new leaf.
  private mutating func leaf(_ type: TensorType) throws(SDError) -> Value {
    let name = "leaf.\(builder.graph.nodes.count)"
    switch number(0...2) {
    case 0: return try builder.input(name, type, rate: element(Rate.allCases))
    case 1: return try builder.add(Parameter(name: name, type: type), [])
    default:
      let values = (0..<type.count).map { _ in type.dtype.isFloat ? type.dtype.rounded(float()) : 0 }
      return try builder.add(Constant(type: type, values: values), [])
    }
  }

  /// A value of this shape, old or new.
  private mutating func value(_ shape: [Int]) throws(SDError) -> Value {
    let fitting = values.filter { $0.shape == shape && $0.type.dtype.isFloat }
    if !fitting.isEmpty, bool() { return element(fitting) }
    return try leaf(TensorType(dtype(), shape))
  }

  /// A value of this many dimensions, old or new.
  private mutating func value(rank: ClosedRange<Int>) throws(SDError) -> Value {
    let fitting = values.filter { rank.contains($0.type.rank) && $0.type.count <= 512 }
    if !fitting.isEmpty, number(0...3) > 0 { return element(fitting) }
    return try leaf(TensorType(dtype(), shape(rank)))
  }

  // MARK: Recipes

  private struct Recipe {
    let names: [String]
    let make: (inout RandomGraph) throws(SDError) -> Value

    init(_ ops: any Op.Type..., make: @escaping (inout RandomGraph) throws(SDError) -> Value) {
      names = ops.map { $0.id.description }
      self.make = make
    }
  }

  private static func unary<T: UnaryOp>(_ type: T.Type) -> Recipe {
    Recipe(type) { (g) throws(SDError) in try g.value(rank: 0...4).applying(T()) }
  }

  private static func binary<T: BinaryOp>(_ type: T.Type) -> Recipe {
    Recipe(type) { (g) throws(SDError) in
      let x = try g.value(rank: 0...4)
      var shape = x.shape
      for axis in shape.indices where g.bool() { shape[axis] = 1 }
      return try x.applying(T(), g.value(Array(shape.suffix(g.number(0...shape.count)))))
    }
  }

  private static var recipes: [Recipe] {
    [
      unary(Exp.self), unary(Sigmoid.self), unary(Rsqrt.self), unary(Erf.self), unary(Sine.self),
      unary(Cosine.self),
      binary(Add.self), binary(Subtract.self), binary(Multiply.self), binary(Divide.self),
      Recipe(Input.self, Parameter.self, Constant.self) { (g) throws(SDError) in
        try g.leaf(TensorType(g.dtype(), g.shape(0...5)))
      },
      Recipe(CausalMask.self) { (g) throws(SDError) in try g.builder.causalMask(g.number(1...4)) },
      Recipe(Cast.self) { (g) throws(SDError) in try g.value(rank: 0...4).cast(to: g.dtype()) },
      Recipe(SiLU.self) { (g) throws(SDError) in try g.value(rank: 0...4).silu() },
      Recipe(GELU.self) { (g) throws(SDError) in try g.value(rank: 0...4).gelu() },
      Recipe(QuickGELU.self) { (g) throws(SDError) in try g.value(rank: 0...4).quickGELU() },
      Recipe(Reshape.self) { (g) throws(SDError) in
        let x = try g.value(rank: 0...4)
        return try x.reshaped(x.shape.reversed() + [1])
      },
      Recipe(Transpose.self) { (g) throws(SDError) in
        let x = try g.value(rank: 0...4)
        return try x.transposed((0..<x.type.rank).shuffled(using: &g.random))
      },
      Recipe(Slice.self) { (g) throws(SDError) in
        let x = try g.value(rank: 1...4)
        let axis = g.number(0...x.type.rank - 1)
        let start = g.number(0...x.shape[axis] - 1)
        return try x.sliced(start..<g.number(start + 1...x.shape[axis]), axis: axis)
      },
      Recipe(Concat.self) { (g) throws(SDError) in
        let x = try g.value(rank: 1...4)
        let axis = g.number(0...x.type.rank - 1)
        var shape = x.shape
        shape[axis] = g.number(1...3)
        return try g.builder.concat([x, g.value(shape).cast(to: x.type.dtype)], axis: axis)
      },
      Recipe(Gather.self) { (g) throws(SDError) in
        let ids = try g.leaf(TensorType(g.element([.i32, .i64]), g.shape(0...2)))
        return try g.value(rank: 2...2).gather(ids)
      },
      Recipe(SelectRow.self) { (g) throws(SDError) in
        let index = try g.leaf(TensorType(.i32, [1]))
        return try g.value(rank: 1...4).selectRow(index)
      },
      Recipe(UpsampleNearest.self) { (g) throws(SDError) in
        try g.value(rank: 4...4).upsampleNearest(height: g.number(1...5), width: g.number(1...5))
      },
      Recipe(Sum.self) { (g) throws(SDError) in
        let x = try g.value(rank: 0...4)
        return try x.sum(axes: g.axes(of: x))
      },
      Recipe(Max.self) { (g) throws(SDError) in
        let x = try g.value(rank: 0...4)
        return try x.max(axes: g.axes(of: x))
      },
      Recipe(MatMul.self) { (g) throws(SDError) in
        let x = try g.value(rank: 2...4)
        let (k, n, transpose) = (x.type.lastDimension, g.number(1...4), g.bool())
        return try x.matmul(g.value(transpose ? [n, k] : [k, n]), transposeB: transpose)
      },
      Recipe(Conv2D.self) { (g) throws(SDError) in
        let x = try g.value(rank: 4...4)
        let weight = try g.value([g.number(1...3), x.shape[3], g.number(1...3), g.number(1...3)])
        return try x.conv2d(weight, stride: g.number(1...2), padding: g.padding())
      },
      Recipe(Softmax.self) { (g) throws(SDError) in try g.value(rank: 1...4).softmax() },
      Recipe(LayerNorm.self) { (g) throws(SDError) in
        let x = try g.value(rank: 1...4)
        let c = x.type.lastDimension
        return try g.bool() ? x.layerNorm(eps: g.float()) : x.layerNorm(g.value([c]), g.value([c]), eps: g.float())
      },
      Recipe(GroupNorm.self) { (g) throws(SDError) in
        let x = try g.value(rank: 2...4)
        let c = x.type.lastDimension
        return try x.groupNorm(g.value([c]), g.value([c]), groups: g.divisor(of: c), eps: g.float())
      },
      Recipe(TimestepEmbedding.self) { (g) throws(SDError) in
        try g.value(rank: 1...1).timestepEmbedding(2 * g.number(2...4), flipSinToCos: g.bool(), shift: 1)
      },
      Recipe(Attention.self) { (g) throws(SDError) in
        let (heads, batch, rows) = (g.number(1...2), g.number(1...2), g.number(1...3))
        let (causal, width) = (g.bool(), g.number(1...3))
        let keys = causal ? rows : g.number(1...4)
        let q = try g.value([batch, rows, heads * width])
        let k = try g.value([batch, keys, heads * width])
        return try q.attention(
          k, g.value([batch, keys, heads * 2]), heads: heads, scale: g.float(), causal: causal)
      },
      Recipe(ChannelStatistics.self) { (g) throws(SDError) in
        let x = try g.value(rank: 2...4)
        return try x.channelStatistics(parts: g.number(1...x.shape.dropFirst().dropLast().reduce(1, *)))
      },
      Recipe(Normalize.self) { (g) throws(SDError) in
        let x = try g.value(rank: 2...4)
        let c = x.type.lastDimension
        let activation = g.element([nil] + Activation.allCases)
        return try x.normalize(
          x.channelStatistics(parts: 1), g.value([c]), g.value([c]), groups: g.divisor(of: c), eps: g.float(),
          activation: activation)
      },
      Recipe(FusedConv.self) { (g) throws(SDError) in try g.fusedConv() },
      Recipe(FusedConvStatistics.self) { (g) throws(SDError) in
        let x = try g.value(rank: 2...4)
        let columns = g.number(1...3)
        let conv = FusedConv(sources: [.init()], epilogues: [.bias], dtype: g.dtype())
        let operands = [x, try g.value([columns, x.type.lastDimension]), try g.value([columns])]
        let parts = g.divisor(of: x.shape.dropFirst().dropLast().reduce(1, *))
        return try g.builder.results(of: FusedConvStatistics(conv: conv, parts: parts), operands)[g.number(0...1)]
      },
      Recipe(FusedFeedForward.self) { (g) throws(SDError) in
        let x = try g.value(rank: 1...4)
        let (hidden, columns) = (g.number(1...3), g.number(1...3))
        let op = FusedFeedForward(
          hidden: FusedConv(
            sources: [.init()], epilogues: [.bias, .gate(g.element(Activation.allCases))], dtype: g.dtype()),
          output: FusedConv(sources: [.init()], epilogues: [.residual], dtype: g.dtype()))
        return try g.builder.add(
          op,
          [
            x, g.value([2 * hidden, x.type.lastDimension]), g.value([2 * hidden]), g.value([columns, hidden]),
            g.value(x.shape.dropLast() + [columns]),
          ])
      },
    ]
  }

  private mutating func axes(of x: Value) -> [Int] {
    (0..<x.type.rank).filter { _ in bool() }
  }

  private mutating func padding() -> Padding {
    Padding(top: number(1...2), left: number(1...2), bottom: number(1...2), right: number(1...2))
  }

  private mutating func divisor(of count: Int) -> Int {
    element((1...count).filter { count % $0 == 0 })
  }

  /// One or two sources with all kinds of epilogues.
  private mutating func fusedConv() throws(SDError) -> Value {
    let x = try value(rank: 4...4)
    let columns = 2 * number(1...2)
    let sources = [FusedConv.Source](
      repeating: .init(stride: number(1...2), padding: padding(), upsample: bool() ? [5, 6] : nil),
      count: number(1...2))
    var operands: [Value] = []
    for _ in sources { operands += [x, try value([columns, x.shape[3], number(1...2), 3])] }
    // Kernels must agree for the sources to have one shape.
    for index in sources.indices { operands[2 * index + 1] = operands[1] }
    let sum = try FusedConv(sources: sources).types(of: operands.map(\.type))[0].shape
    operands += [try value([columns]), try value([1, columns]), try value(sum)]
    let op = FusedConv(
      sources: sources,
      epilogues: [
        .bias, .row, .residual, .activation(element(Activation.allCases)),
        .gate(element(Activation.allCases)),
      ],
      dtype: dtype())
    return try builder.add(op, operands)
  }
}
