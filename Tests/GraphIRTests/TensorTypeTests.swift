import GraphIR
import TestSupport
import Testing

@Suite struct TensorTypeTests {
  @Test(arguments: [
    ("f32[]", TensorType(.f32, [])), ("bf16[2, 3]", TensorType(.bf16, [2, 3])),
    ("i64[0]", TensorType(.i64, [0])),
  ]) func textRoundTrips(text: String, type: TensorType) {
    #expect(type.description == text)
    #expect(TensorType(text) == type)
  }

  @Test(arguments: [
    "", "f32", "[]", "f33[1]", "f32[1,2]", "f32[1, ]", "f32[ 1]", "f32[+1]", "f32[01]", "f32[-1]", "f32[1]]",
    "f32[2147483648]", "f32[1, 1, 1, 1, 1, 1, 1, 1, 1]", "f32[2147483647, 2147483647, 2]",
    "f32[99999999999999999999]",
  ]) func otherTextIsNone(text: String) { #expect(TensorType(text) == nil) }

  @Test func sizes() {
    let type = TensorType(.f16, [2, 3, 5])
    #expect((type.count, type.byteCount, type.rows, type.lastDimension, type.rank) == (30, 60, 6, 5, 3))
    #expect(TensorType(.f32, []).count == 1)
    #expect(TensorType(.f32, [0, 1 << 31]).checked() == nil)
    #expect(TensorType(.f32, [-1]).checked() == nil)
    #expect(TensorType(.i64, [1 << 30, 1 << 30, 1]).checked() == nil)
    #expect(TensorType(.i64, [1 << 29, 1 << 30]).checked() != nil)
  }
}
