import GraphIR
import GraphRuntime
import TestSupport
import Testing

@Suite struct WeightLayoutTests {
  static let shapes = [[1, 1], [33, 7], [64, 300], [31, 5, 3, 3], [40, 33, 1, 1], [2, 3, 2, 5]]

  /// Packing and unpacking gives the tensor back; what is added is zeros.
  @Test(arguments: WeightLayout.allCases, shapes)
  func isBijection(_ layout: WeightLayout, _ shape: [Int]) throws {
    for dtype in [DType.f32, .f16, .bf16] {
      let tensor = Tensor.random(TensorType(dtype, shape), seed: 1, in: 1...2)
      guard layout.accepts(tensor.type), layout != .winograd else { continue }
      let dense = try TensorStorage(tensor.type)
      dense.write(tensor.values)
      let packed = try HostMemory(byteCount: layout.byteCount(tensor.type))
      for index in packed.bytes.indices { packed.bytes[index] = 0xFF }
      layout.pack(dense.memory.base, as: dtype, to: packed.base, type: tensor.type, threads: 2)
      let padding = TensorType(dtype, [packed.byteCount / dtype.size - tensor.type.count])
      #expect(zeros(packed.bytes, dtype) == padding.count)

      let back = try TensorStorage(tensor.type)
      layout.unpack(packed.base, type: tensor.type, to: back.memory.base, as: dtype, threads: 2)
      #expect(back.read() == tensor.values)
    }
  }

  /// Factors are G w Gᵀ of every kernel, one of 3×3 or four of 2×2; unpacked they are the kernel again, up to rounding.
  @Test(arguments: [[1, 1], [33, 7], [64, 40]], [3, 2]) func winograd(_ shape: [Int], _ side: Int) throws {
    let kernels = side == 3 ? 1 : 4
    let tensor = Tensor.random(TensorType(.f32, shape + [side * kernels, side]), seed: 1)
    let dense = try TensorStorage(tensor.type)
    dense.write(tensor.values)
    let packed = try HostMemory(byteCount: WeightLayout.winograd.byteCount(tensor.type))
    WeightLayout.winograd.pack(dense.memory.base, as: .f32, to: packed.base, type: tensor.type, threads: 2)
    let (columns, channels, taps, places) = (shape[0], shape[1], side * side, (side + 1) * (side + 1))
    let values = packed.bytes.bindMemory(to: Float.self)
    let lines: [[Float]] =
      side == 3 ? [[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]] : [[1, 0], [1, 1], [0, 1]]
    #expect(values.count == (columns + 31) / 32 * kernels * places * channels * 32)
    for (index, value) in values.enumerated() {
      let (n, c) = (index / (kernels * places * channels * 32) * 32 + index % 32, index / 32 % channels)
      let (kernel, place) = (index / (places * channels * 32) % kernels, index / (channels * 32) % places)
      var expected: Float = 0
      for tap in 0..<taps where n < columns {
        expected +=
          lines[place / (side + 1)][tap / side] * lines[place % (side + 1)][tap % side]
          * tensor.values[((n * channels + c) * kernels + kernel) * taps + tap]
      }
      guard abs(value - expected) < 1e-6 else {
        Issue.record("kernel \(kernel), place \(place), channel \(c), column \(n): \(value), expected \(expected)")
        return
      }
    }
    let back = try TensorStorage(tensor.type)
    WeightLayout.winograd.unpack(packed.base, type: tensor.type, to: back.memory.base, as: .f32, threads: 2)
    #expect(zip(back.read(), tensor.values).allSatisfy { abs($0 - $1) < 1e-6 })
  }

  private func zeros(_ bytes: UnsafeMutableRawBufferPointer, _ dtype: DType) -> Int {
    stride(from: 0, to: bytes.count, by: dtype.size).count { start in
      bytes[start..<start + dtype.size].allSatisfy { $0 == 0 }
    }
  }

  /// The element type of the checkpoint is converted on the way.
  @Test func convertsWhilePacking() throws {
    let type = TensorType(.bf16, [33, 7])
    let dense = try TensorStorage(type.with(.f32))
    let values = Tensor.random(type.with(.f32), seed: 2).values
    dense.write(values)
    let packed = try HostMemory(byteCount: WeightLayout.panel32.byteCount(type))
    WeightLayout.panel32.pack(dense.memory.base, as: .f32, to: packed.base, type: type, threads: 1)
    let back = try TensorStorage(type)
    WeightLayout.panel32.unpack(packed.base, type: type, to: back.memory.base, as: .bf16, threads: 1)
    #expect(back.read() == values.map(DType.bf16.rounded))
  }

  @Test func acceptedTypes() {
    #expect(WeightLayout.dense.accepts(TensorType(.i64, [3])))
    #expect(!WeightLayout.panel32.accepts(TensorType(.f32, [3])))
    #expect(!WeightLayout.panel32.accepts(TensorType(.i32, [3, 4])))
    #expect(!WeightLayout.panel32Gated.accepts(TensorType(.f32, [3, 4])))
    #expect(!WeightLayout.panel32Gated.accepts(TensorType(.f32, [4, 4, 1, 1])))
    #expect(WeightLayout.winograd.accepts(TensorType(.f32, [5, 4, 3, 3])))
    #expect(!WeightLayout.winograd.accepts(TensorType(.f16, [5, 4, 3, 3])))
    #expect(!WeightLayout.winograd.accepts(TensorType(.f32, [5, 4, 3, 1])))
    #expect(!WeightLayout.winograd.accepts(TensorType(.f32, [5, 4])))
  }
}
