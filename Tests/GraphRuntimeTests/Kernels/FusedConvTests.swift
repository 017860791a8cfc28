import GraphIR
import GraphRuntime
import TestSupport
import Testing

@Suite struct FusedConvKernelTests {
  typealias Source = FusedConv.Source

  private static let dtypes: [DType] = [.f32, .f16, .bf16]
  private static let sizes = OpCheck(Add()).sizes

  /// The check of a fused convolution, whose weights are constant.
  private func check(
    _ sources: [Source], _ epilogues: [FusedConv.Epilogue] = [], to dtype: DType
  ) -> OpCheck {
    var check = OpCheck(
      FusedConv(sources: sources, epilogues: epilogues, dtype: dtype),
      weights: Set(sources.indices.map { 2 * $0 + 1 }))
    check.processors = CPU.checked
    return check
  }

  // MARK: Matrix products

  @Test(arguments: dtypes) func product(_ dtype: DType) throws {
    for size in FusedConvKernelTests.sizes {
      for (rows, k, columns) in [(size, 33, 17), (7, size, 31), (5, 77, size), (size, size, size)] {
        try check([Source()], to: dtype)
          .run(operands: [TensorType(dtype, [rows, k]), TensorType(dtype, [columns, k])])
      }
    }
  }

  /// Several strips of rows, groups of panels and chunks of K.
  @Test(arguments: dtypes) func largeProduct(_ dtype: DType) throws {
    for (rows, k, columns) in [(300, 600, 130), (1, 1300, 1000), (770, 8, 64), (130, 257, 520)] {
      try check([Source()], [.bias], to: dtype)
        .run(operands: [
          TensorType(dtype, [2, rows, k]), TensorType(dtype, [columns, k]), TensorType(.f32, [columns]),
        ])
    }
  }

  /// Every combination of element types; results in float32 are exact where operands are.
  @Test(arguments: dtypes, dtypes) func mixedTypes(_ x: DType, _ weight: DType) throws {
    for result in FusedConvKernelTests.dtypes {
      try check([Source(padding: Padding(1))], [.bias, .residual, .row], to: result).run(operands: [
        TensorType(x, [2, 5, 7, 24]), TensorType(weight, [33, 24, 3, 3]), TensorType(weight, [33]),
        TensorType(x, [2, 5, 7, 33]), TensorType(weight, [2, 33]),
      ])
    }
  }

  // MARK: Convolutions

  /// Window, stride and padding.
  static let windows: [(kernel: [Int], source: Source)] = [
    ([1, 1], Source()), ([3, 3], Source(padding: Padding(1))), ([3, 3], Source()),
    ([3, 3], Source(stride: 2, padding: Padding(1))),
    ([3, 3], Source(stride: 2, padding: Padding(top: 0, left: 0, bottom: 1, right: 1))),
    ([3, 3], Source(stride: 3, padding: Padding(top: 2, left: 1, bottom: 0, right: 3))),
    ([2, 4], Source(padding: Padding(top: 1, left: 3, bottom: 0, right: 2))),
    ([5, 1], Source(padding: Padding(4))), ([1, 1], Source(stride: 2)),
  ]

  @Test(arguments: windows.indices, dtypes) func window(_ index: Int, _ dtype: DType) throws {
    let (kernel, source) = FusedConvKernelTests.windows[index]
    for size in FusedConvKernelTests.sizes {
      for (channels, columns) in [(size, 5), (5, size)] {
        try check([source], to: dtype)
          .run(operands: [
            TensorType(dtype, [2, 7, 9, channels]), TensorType(dtype, [columns, channels] + kernel),
          ])
      }
    }
  }

  /// Images whose rows of results are cut across strips, and channels that are cut into chunks.
  @Test(arguments: dtypes) func largeImage(_ dtype: DType) throws {
    for (shape, columns) in [([1, 19, 23, 64], 40), ([2, 9, 8, 300], 33), ([1, 33, 17, 4], 130)] {
      try check([Source(padding: Padding(1))], [.bias], to: dtype).run(operands: [
        TensorType(dtype, shape), TensorType(dtype, [columns, shape[3], 3, 3]), TensorType(.f32, [columns]),
      ])
    }
  }

  @Test(arguments: [[10, 14], [9, 13], [5, 7], [3, 4], [11, 7]], dtypes)
  func upsample(_ size: [Int], _ dtype: DType) throws {
    for (channels, columns) in [(3, 4), (17, 33)] {
      try check([Source(padding: Padding(1), upsample: size)], to: dtype)
        .run(operands: [
          TensorType(dtype, [2, 5, 7, channels]), TensorType(dtype, [columns, channels, 3, 3]),
        ])
    }
  }

  /// The four convolutions behind a doubling.
  @Test(arguments: dtypes) func phases(_ dtype: DType) throws {
    for size in FusedConvKernelTests.sizes {
      for (shape, columns) in [([2, 3, 5, size], 5), ([1, 5, 4, 5], size)] {
        try check([Source(phases: true)], [.bias, .row, .activation(.silu)], to: dtype).run(operands: [
          TensorType(dtype, shape), TensorType(dtype, [columns, shape[3], 8, 2]), TensorType(.f32, [columns]),
          TensorType(dtype, [shape[0], columns]),
        ])
      }
    }
    // Several strips and groups of panels.
    try check([Source(phases: true)], to: dtype)
      .run(operands: [TensorType(dtype, [2, 19, 33, 64]), TensorType(dtype, [136, 64, 8, 2])])
  }

  /// Rows enough for several strips of the pair kernels, at the edges of their tiles.
  @Test func strips() throws {
    for (shape, columns, kernel, source) in [
      ([2, 18, 64, 32], 40, 3, Source(padding: Padding(1))), ([1, 9, 200, 32], 33, 3, Source(padding: Padding(1))),
      ([1, 40, 24, 64], 200, 3, Source(padding: Padding(1))), ([3, 31, 20, 40], 64, 1, Source()),
      ([1, 33, 65, 32], 31, 3, Source(stride: 2, padding: Padding(1))), ([1, 1, 1100, 96], 16, 1, Source()),
      ([1, 40, 40, 32], 16, 5, Source(stride: 2, padding: Padding(2))),
    ] {
      let rows = try check([source], to: .bf16).run(operands: [
        TensorType(.bf16, shape), TensorType(.bf16, [columns, shape[3], kernel, kernel]),
      ])
      #expect(rows.cases == 1)
    }
  }

  /// The two halves of a skip connection, a 1×1 shortcut within the sum, and both.
  @Test(arguments: dtypes) func severalSources(_ dtype: DType) throws {
    let same = Source(padding: Padding(1))
    for size in FusedConvKernelTests.sizes {
      let image = { TensorType(dtype, [2, 6, 5, $0]) }
      let kernel = { (channels: Int, side: Int) in TensorType(dtype, [33, channels, side, side]) }
      try check([same, same], to: dtype).run(operands: [image(size), kernel(size, 3), image(5), kernel(5, 3)])
      try check([same, Source()], [.bias], to: dtype).run(operands: [
        image(17), kernel(17, 3), image(size), kernel(size, 1), TensorType(.f32, [33]),
      ])
      try check([same, same, Source(stride: 2)], to: dtype).run(operands: [
        image(8), kernel(8, 3), image(size), kernel(size, 3), TensorType(dtype, [2, 12, 10, 3]), kernel(3, 1),
      ])
    }
  }

  // MARK: Tiles

  /// Convolutions in float32 by F(2×2, 3×3): tiles around the heights of register tiles, panels that are not full, chunks
  /// of channels, several strips, and tiles that are cut off at no edge but the image's.
  @Test func tiles() throws {
    let tiled = [Source(padding: Padding(1))]
    for (shape, columns) in [
      ([1, 2, 2, 32], 32), ([1, 2, 14, 48], 33), ([2, 6, 10, 32], 47), ([1, 8, 4, 144], 64), ([3, 2, 34, 32], 77),
      ([2, 18, 34, 64], 96), ([1, 34, 66, 272], 40),
    ] {
      let types = [TensorType(.f32, shape), TensorType(.f32, [columns, shape[3], 3, 3])]
      try expectTiles(tiled, types)
      let cases = try check(tiled, to: .f32).run(operands: types)
      #expect(cases.cases == 1)
    }
  }

  /// The same in phases, by F(2×2, 2×2).
  @Test func tilesOfPhases() throws {
    let phases = [Source(phases: true)]
    for (shape, columns) in [
      ([1, 2, 2, 32], 32), ([2, 6, 4, 48], 33), ([1, 8, 4, 144], 64), ([3, 2, 18, 32], 77), ([2, 8, 34, 272], 96),
    ] {
      let types = [TensorType(.f32, shape), TensorType(.f32, [columns, shape[3], 8, 2])]
      try expectTiles(phases, types)
      for dtype in FusedConvKernelTests.dtypes {
        try check(phases, [.bias, .row, .activation(.silu)], to: dtype)
          .run(operands: types + [TensorType(.f32, [columns]), TensorType(.f32, [shape[0], columns])])
      }
    }
  }

  /// Whatever is summed with them: more tiles, channels that fill no vector, a shortcut; and whatever is done with the sum.
  @Test(arguments: lists.indices) func tilesAndMore(_ index: Int) throws {
    let (list, image, same) = (FusedConvKernelTests.lists[index], [2, 6, 10], Source(padding: Padding(1)))
    let epilogues = list.filter(\.hasOperand).map { epilogue in
      switch epilogue {
      case .row: TensorType(.f32, [2, 65])
      case .residual: TensorType(.f32, image + [65])
      default: TensorType(.f32, [65])
      }
    }
    let all = [(same, channels: 48, side: 3), (same, 64, 3), (same, 7, 3), (Source(), 24, 1)]
    let some = all.prefix(1 + index % all.count)
    let factors = some.flatMap { (_, channels, side) in
      [TensorType(.f32, image + [channels]), TensorType(.f32, [65, channels, side, side])]
    }
    try expectTiles(some.map(\.0), factors)
    for dtype in FusedConvKernelTests.dtypes {
      try check(some.map(\.0), list, to: dtype).run(operands: factors + epilogues)
    }
  }

  /// What else there is keeps its nine taps.
  @Test func untiled() throws {
    let same = Source(padding: Padding(1))
    for (source, image, columns, dtype) in [
      (same, [1, 8, 7, 32], 32, DType.f32), (same, [1, 7, 8, 32], 32, .f32), (same, [1, 8, 8, 40], 32, .f32),
      (same, [1, 8, 8, 16], 32, .f32), (same, [1, 8, 8, 32], 31, .f32), (same, [1, 8, 8, 1280], 1280, .f32),
      (Source(), [1, 8, 8, 32], 32, .f32), (Source(stride: 2, padding: Padding(1)), [1, 8, 8, 32], 32, .f32),
      (Source(padding: Padding(1), upsample: [8, 8]), [1, 4, 4, 32], 32, .f32), (same, [1, 8, 8, 32], 32, .bf16),
      (Source(phases: true), [1, 4, 5, 32], 32, .f32), (Source(phases: true), [1, 4, 4, 1280], 1280, .f32),
    ] {
      let types = [
        TensorType(dtype, image), TensorType(dtype, [columns, image[3]] + (source.phases ? [8, 2] : [3, 3])),
      ]
      #expect(try kernel([source], types, .best).weightLayouts == [1: .panel32])
    }
  }

  private func kernel(_ sources: [Source], _ types: [TensorType], _ cpu: CPU) throws -> CPUKernel {
    let conv = FusedConv(sources: sources, dtype: types[0].dtype)
    let node = KernelSignature(
      operands: types, results: try conv.types(of: types), isWeight: types.indices.map { $0 % 2 == 1 })
    return try #require(conv.cpuKernel(node, on: cpu))
  }

  /// Every instruction set computes the first source by tiles.
  private func expectTiles(_ sources: [Source], _ types: [TensorType]) throws {
    for cpu in CPU.checked {
      let kernel = try kernel(sources, types, cpu)
      #expect(kernel.weightLayouts[1] == .winograd && kernel.name == "conv_winograd.\(cpu.level.rawValue)")
    }
  }

  // MARK: Normalized sources

  /// Sources and the normalizations before them, where processors multiply pairs of bf16: rows, windows, and the two
  /// halves of a skip connection.
  @Test func normalize() throws {
    func run(_ sources: [(source: Source, image: [Int], all: Int)], _ columns: Int, _ kernel: [Int]) throws {
      var check = check(sources.map(\.source), [.bias], to: .bf16)
      check.processors = CPU.checked.filter(\.multipliesBF16)
      var operands = sources.flatMap { [$0.image, [columns, $0.image[$0.image.count - 1]] + kernel] }
        .map { TensorType(.bf16, $0) }
      for (_, image, all) in sources {
        // Means and sums of squares, of parts of the image.
        check.ranges[operands.count] = 0...1
        let parts = min(3, image.dropFirst().dropLast().reduce(1, *))
        let channels = [image[image.count - 1]]
        operands += [
          TensorType(.f32, [parts, image[0], all, 2]), TensorType(.bf16, channels), TensorType(.f32, channels),
        ]
      }
      try check.run(operands: operands + [TensorType(.f32, [columns])])
    }
    let silu = Normalize(groups: 1, eps: 1e-5, activation: .silu)
    for size in FusedConvKernelTests.sizes {
      try run([(Source(normalize: Normalize(groups: size, eps: 1e-5)), [3, 20, size], size)], 33, [])
      try run([(Source(padding: Padding(1), normalize: silu), [2, 7, 9, size], size)], 5, [3, 3])
      try run([(Source(stride: 2, padding: Padding(1), normalize: silu), [2, 9, 8, size], size)], 17, [3, 3])
    }
    try run([(Source(phases: true, normalize: silu), [2, 9, 5, 24], 24)], 33, [8, 2])
    try run([(Source(normalize: silu), [3, 31, 20, 40], 40)], 64, [1, 1])
    try run([(Source(padding: Padding(1), normalize: silu), [1, 33, 65, 64], 64)], 70, [3, 3])
    let halves = [0, 32].map { Normalize(groups: 3, eps: 1e-5, activation: .silu, first: $0) }
    try run(
      [
        (Source(padding: Padding(1), normalize: halves[0]), [2, 8, 8, 32], 48),
        (Source(padding: Padding(1), normalize: halves[1]), [2, 8, 8, 16], 48),
      ], 40, [3, 3])
    // The first is normalized while products run, the second before.
    let wide = [0, 96].map { Normalize(groups: 5, eps: 1e-5, activation: .silu, first: $0) }
    try run(
      [
        (Source(padding: Padding(1), normalize: wide[0]), [2, 20, 24, 96], 160),
        (Source(padding: Padding(1), normalize: wide[1]), [2, 20, 24, 64], 160),
      ], 70, [3, 3])
  }

  /// Where there is no kernel, lowering takes the normalization off and leaves everything else as it is.
  @Test(arguments: [DType.f32, .f16]) func normalizeApart(_ dtype: DType) throws {
    let conv = FusedConv(sources: [Source(normalize: Normalize(groups: 1, eps: 1e-5))], dtype: dtype)
    let builder = GraphBuilder(name: "g")
    let x = try builder.input("x", TensorType(dtype, [2, 5, 8]))
    let w = try builder.add(Parameter(name: "w", type: TensorType(dtype, [3, 8])), [])
    let statistics = try x.channelStatistics(parts: 2)
    let (gamma, beta) = (try builder.parameter("gamma", [8]), try builder.parameter("beta", [8]))
    try builder.output("y", try builder.add(conv, [x, w, statistics, gamma, beta]))
    for cpu in CPU.all {
      let program = try lower(builder.graph, with: CPUDevice(cpu: cpu).library)
      #expect(program.steps.map { type(of: $0.op).id.name } == ["channel_statistics", "normalize", "fused_conv"])
    }
  }

  // MARK: Epilogues

  static let lists: [[FusedConv.Epilogue]] =
    [
      [.bias], [.row], [.residual], [.bias, .row, .residual], [.residual, .bias], [.row, .row],
      [.bias, .activation(.silu), .residual], [.residual, .activation(.gelu), .bias],
    ] + Activation.allCases.map { [.bias, .activation($0)] }

  @Test(arguments: lists, dtypes) func epilogues(_ list: [FusedConv.Epilogue], _ dtype: DType) throws {
    for columns in FusedConvKernelTests.sizes {
      for rows in [1, 2] {
        let operands = list.filter(\.hasOperand).map { epilogue in
          switch epilogue {
          case .row: TensorType(dtype, [rows, columns])
          case .residual: TensorType(dtype, [2, 4, 5, columns])
          default: TensorType(.f32, [columns])
          }
        }
        try check([Source()], list, to: dtype).run(
          operands: [TensorType(dtype, [2, 4, 5, 19]), TensorType(dtype, [columns, 19, 1, 1])] + operands)
      }
    }
  }

  /// A row a sample with rank 3: the rows of a sample are its tokens.
  @Test(arguments: dtypes) func rowOfTokens(_ dtype: DType) throws {
    try check([Source()], [.row, .residual], to: dtype).run(operands: [
      TensorType(dtype, [3, 77, 40]), TensorType(dtype, [33, 40]), TensorType(.f32, [3, 33]),
      TensorType(dtype, [3, 77, 33]),
    ])
  }

  @Test(arguments: dtypes) func gate(_ dtype: DType) throws {
    for half in FusedConvKernelTests.sizes {
      let operands = [
        TensorType(dtype, [2, 19, 24]), TensorType(dtype, [2 * half, 24]), TensorType(.f32, [2 * half]),
      ]
      try check([Source()], [.gate(.gelu)], to: dtype).run(operands: Array(operands.prefix(2)))
      try check([Source()], [.bias, .gate(.gelu)], to: dtype).run(operands: operands)
      try check([Source()], [.bias, .gate(.gelu), .residual], to: dtype)
        .run(operands: operands + [TensorType(dtype, [2, 19, half])])
    }
  }

  // MARK: Plain convolutions

  @Test func conv2D() throws {
    try OpCheck(Conv2D(stride: 2, padding: Padding(1)), weights: [1]).run { size, dtype in
      [TensorType(dtype, [2, 7, 5, size]), TensorType(dtype, [size, size, 3, 3])]
    }
  }

  /// Without constant weights there is no kernel.
  @Test func computedWeights() {
    expectError(
      .incompatible, "[sd.fused_conv] (f32[3, 4], f32[5, 4]): has no kernel for these types on generic",
      hint: "Leave out the types that have none, and name the operands that are weights."
    ) {
      try OpCheck(FusedConv(sources: [Source()])).run(operands: [
        TensorType(.f32, [3, 4]), TensorType(.f32, [5, 4]),
      ])
    }
  }
}
