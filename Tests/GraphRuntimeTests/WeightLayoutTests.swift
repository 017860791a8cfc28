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
      guard layout.accepts(tensor.type) else { continue }
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
  }
}
