import GraphIR
import GraphRuntime
import TestSupport
import Testing

/// The kernels for GPUs against the meanings of their ops, at sizes around the widths of vectors and tiles.
@Suite struct CUDAKernelTests {
  typealias Source = FusedConv.Source
  private static let dtypes: [DType] = [.f32, .f16, .bf16]
  private static let sizes = [1, 7, 15, 16, 17, 31, 33, 77]

  // MARK: Elements

  @Test(arguments: dtypes) func functions(_ dtype: DType) throws {
    let ops: [any Op] = [SiLU(), GELU(), QuickGELU(), Exp(), Sigmoid(), Erf(), Sine(), Cosine()]
    for op in ops {
      for size in [1, 17, 77] { try CUDACheck(op).run(operands: [TensorType(dtype, [2, 3, size])]) }
    }
    var root = CUDACheck(Rsqrt())
    root.ranges[0] = 0.5...2
    try root.run(operands: [TensorType(dtype, [5, 33])])
    for other in Self.dtypes { try CUDACheck(Cast(dtype: other)).run(operands: [TensorType(dtype, [5, 33])]) }
  }

  @Test(arguments: dtypes) func pairs(_ dtype: DType) throws {
    let ops: [any Op] = [Add(), Subtract(), Multiply(), Divide()]
    let shapes = [
      ([2, 5, 7, 8], [2, 5, 7, 8]), ([2, 5, 8], [8]), ([2, 5, 8], [2, 1, 8]), ([3, 1], [1, 16]), ([7], []),
    ]
    for op in ops {
      for (x, y) in shapes {
        var check = CUDACheck(op)
        check.ranges[1] = 0.5...2
        try check.run(operands: [TensorType(dtype, x), TensorType(dtype, y)])
      }
    }
  }

  @Test(arguments: dtypes) func reductions(_ dtype: DType) throws {
    for axes in [[0], [1], [2], [0, 2], [0, 1, 2]] {
      try CUDACheck(Sum(axes: axes)).run(operands: [TensorType(dtype, [3, 5, 33])])
      try CUDACheck(Max(axes: axes)).run(operands: [TensorType(dtype, [3, 5, 33])])
    }
  }

  @Test(arguments: dtypes) func movements(_ dtype: DType) throws {
    for size in [1, 8, 17, 64] {
      let type = TensorType(dtype, [2, 3, 5, size])
      try CUDACheck(Transpose(permutation: [0, 2, 1, 3])).run(operands: [type])
      try CUDACheck(Transpose(permutation: [3, 1, 0, 2])).run(operands: [type])
      try CUDACheck(Slice(axis: 1, start: 1, end: 3)).run(operands: [type])
      try CUDACheck(Reshape(shape: [6 * size, 5])).run(operands: [type])
      for axis in 0..<4 { try CUDACheck(Concat(axis: axis)).run(operands: [type, type, type]) }
      try CUDACheck(UpsampleNearest(height: 7, width: 11)).run(operands: [type])
      for ids in [DType.i32, .i64] {
        var gather = CUDACheck(Gather())
        gather.bound = 7
        try gather.run(operands: [TensorType(dtype, [7, size]), TensorType(ids, [2, 5])])
      }
      var select = CUDACheck(SelectRow())
      select.bound = 3
      try select.run(operands: [TensorType(dtype, [3, size]), TensorType(.i32, [1])])
      try select.run(operands: [TensorType(dtype, [3, 2, size]), TensorType(.i32, [1])])
    }
    try CUDACheck(CausalMask(size: 300)).run(operands: [])
  }

  // MARK: Normalizations

  @Test(arguments: dtypes) func statistics(_ dtype: DType) throws {
    for size in Self.sizes {
      try CUDACheck(ChannelStatistics(parts: 1)).run(operands: [TensorType(dtype, [2, 3, size])])
      try CUDACheck(ChannelStatistics(parts: 3)).run(operands: [TensorType(dtype, [2, 37, size])])
    }
    try CUDACheck(ChannelStatistics(parts: 5)).run(operands: [TensorType(dtype, [1, 9, 31, 320])])
  }

  @Test(arguments: dtypes) func normalize(_ dtype: DType) throws {
    for (groups, width, first, channels) in [
      (1, 7, 0, 7), (4, 16, 0, 64), (32, 10, 0, 320), (5, 3, 2, 8), (8, 16, 24, 64),
    ] {
      for activation in [nil, Activation.silu] {
        var check = CUDACheck(Normalize(groups: groups, eps: 1e-5, activation: activation, first: first))
        check.ranges[1] = 1...2
        let operands = [TensorType(dtype, [2, 9, 7, channels]), TensorType(.f32, [3, 2, groups * width, 2])]
        try check.run(operands: operands)
        try check.run(operands: operands + [TensorType(.f32, [channels]), TensorType(dtype, [channels])])
      }
    }
  }

  @Test(arguments: dtypes) func rows(_ dtype: DType) throws {
    for size in Self.sizes + [320, 1280] {
      let type = TensorType(dtype, [3, 5, size])
      try CUDACheck(Softmax()).run(operands: [type])
      if size > 1 {
        try CUDACheck(LayerNorm(eps: 1e-5)).run(operands: [type])
        try CUDACheck(LayerNorm(eps: 1e-5)).run(operands: [type, TensorType(.f32, [size]), TensorType(dtype, [size])])
      }
    }
  }

  // MARK: Attention

  @Test(arguments: dtypes) func attention(_ dtype: DType) throws {
    for (heads, width) in [(1, 8), (2, 16), (2, 32), (3, 40), (1, 64), (1, 80), (1, 128), (1, 160), (2, 24), (3, 5)] {
      for (queries, keys) in [(1, 1), (17, 77), (70, 130)] {
        let q = TensorType(dtype, [2, queries, heads * width])
        let k = TensorType(dtype, [2, keys, heads * width])
        try CUDACheck(Attention(heads: heads, scale: 0.2)).run(operands: [q, k, k])
        if queries == keys || queries == 70 {
          try CUDACheck(Attention(heads: heads, scale: 0.2, causal: true)).run(operands: [q, q, q])
        }
      }
    }
  }

  /// The largest score is the one with the smallest product, or all are 0.
  @Test(arguments: dtypes, [-0.5, 0] as [Float]) func unusualScale(_ dtype: DType, _ scale: Float) throws {
    for (width, keys) in [(40, 77), (40, 72), (5, 17), (264, 72)] {
      let (q, k) = (TensorType(dtype, [1, keys, 2 * width]), TensorType(dtype, [1, keys, 2 * width]))
      try CUDACheck(Attention(heads: 2, scale: scale)).run(operands: [q, k, k])
      if width < 264 { try CUDACheck(Attention(heads: 2, scale: scale, causal: true)).run(operands: [q, k, k]) }
    }
  }

  /// Wide heads are products of matrices, some queries at a time.
  @Test(arguments: dtypes) func wideAttention(_ dtype: DType) throws {
    let (q, k) = (TensorType(dtype, [2, 33, 2 * 264]), TensorType(dtype, [2, 72, 2 * 264]))
    let kernels = try CUDACheck(Attention(heads: 2, scale: 0.1)).run(operands: [q, k, TensorType(dtype, [2, 72, 48])])
    #expect(kernels == ["attention_products"] || kernels.contains("attention_products"))
  }

  // MARK: Products and convolutions

  private func check(_ sources: [Source], _ epilogues: [FusedConv.Epilogue] = [], to dtype: DType) -> CUDACheck {
    CUDACheck(
      FusedConv(sources: sources, epilogues: epilogues, dtype: dtype), weights: Set(sources.indices.map { 2 * $0 + 1 }))
  }

  @Test(arguments: dtypes) func products(_ dtype: DType) throws {
    for (rows, k, columns) in [(1, 8, 1), (17, 33, 15), (77, 64, 33), (130, 72, 170), (33, 1024, 40)] {
      try check([Source()], [.bias], to: dtype).run(operands: [
        TensorType(dtype, [rows, k]), TensorType(dtype, [columns, k]), TensorType(.f32, [columns]),
      ])
      try CUDACheck(MatMul(transposeB: true)).run(operands: [
        TensorType(dtype, [2, 3, rows, k]), TensorType(dtype, [3, columns, k]),
      ])
    }
    for (x, y) in [([2, 5, 8], [8, 16]), ([2, 3, 5, 16], [2, 3, 16, 7]), ([3, 1, 2, 4, 8], [2, 1, 8, 9])] {
      try CUDACheck(MatMul()).run(operands: [TensorType(dtype, x), TensorType(dtype, y)])
    }
  }

  @Test(arguments: dtypes) func gates(_ dtype: DType) throws {
    for (rows, k, columns) in [(5, 8, 2), (77, 40, 48), (65, 64, 336)] {
      try check([Source()], [.bias, .gate(.gelu)], to: dtype).run(operands: [
        TensorType(dtype, [2, rows, k]), TensorType(dtype, [columns, k]), TensorType(dtype, [columns]),
      ])
    }
  }

  @Test(arguments: dtypes) func convolutions(_ dtype: DType) throws {
    let padded = Source(padding: Padding(1))
    for (source, shape, kernel, columns) in [
      (padded, [2, 5, 7, 8], 3, 16), (padded, [1, 9, 9, 24], 3, 33),
      (Source(stride: 2, padding: Padding(1)), [2, 9, 8, 16], 3, 40),
      (Source(padding: Padding(1), upsample: [10, 13]), [1, 5, 7, 8], 3, 8), (Source(), [2, 4, 4, 40], 1, 17),
      (padded, [2, 4, 5, 5], 3, 7),
    ] {
      let size = try FusedConv(sources: [source]).types(of: [
        TensorType(.f32, shape), TensorType(.f32, [columns, shape[3], kernel, kernel]),
      ])[0].shape
      try check([source], [.bias, .row, .activation(.silu), .residual], to: dtype).run(operands: [
        TensorType(dtype, shape), TensorType(dtype, [columns, shape[3], kernel, kernel]), TensorType(.f32, [columns]),
        TensorType(.f32, [shape[0], columns]), TensorType(dtype, size),
      ])
      // Weights that are not known before.
      var dynamic = check([source], to: .f32)
      dynamic.weights = []
      try dynamic.run(operands: [
        TensorType(dtype, shape), TensorType(dtype, [columns, shape[3], kernel, kernel]),
      ])
    }
  }

  /// Sums of convolutions, parts of K that are summed across blocks, and the four convolutions of phases.
  @Test(arguments: dtypes) func sums(_ dtype: DType) throws {
    let padded = Source(padding: Padding(1))
    try check([padded, padded, Source()], [.bias], to: dtype).run(operands: [
      TensorType(dtype, [1, 6, 5, 72]), TensorType(dtype, [48, 72, 3, 3]), TensorType(dtype, [1, 6, 5, 8]),
      TensorType(dtype, [48, 8, 3, 3]), TensorType(dtype, [1, 6, 5, 16]), TensorType(dtype, [48, 16, 1, 1]),
      TensorType(.f32, [48]),
    ])
    try check([Source(phases: true)], [.bias, .residual], to: dtype).run(operands: [
      TensorType(dtype, [2, 5, 6, 16]), TensorType(dtype, [24, 16, 8, 2]), TensorType(.f32, [24]),
      TensorType(dtype, [2, 10, 12, 24]),
    ])
    let kernels = try check([padded], to: dtype).run(operands: [
      TensorType(dtype, [1, 5, 5, 320]), TensorType(dtype, [40, 320, 3, 3]),
    ])
    #expect(dtype == .f32 || kernels.contains { $0.contains("/") }, "\(kernels)")
  }
}
