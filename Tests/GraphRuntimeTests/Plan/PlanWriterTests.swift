import GraphIR
import GraphRuntime
import TestSupport
import Testing

@testable import GraphRuntime

struct PlanWriterTests {
  @Test func aPlanThatIsNotCommittedLeavesNothing() throws {
    try withTemporaryFolder { folder in
      put("old".utf8, "\(folder)/x")
      func start() throws {
        var writer = try PlanWriter("\(folder)/x", sectionCount: 2)
        try writer.add(.meta, [1, 2, 3])
      }
      try start()
      #expect(entries(of: folder) == ["x"])
      #expect(get("\(folder)/x") == Array("old".utf8))
    }
  }

  /// Weights begin at multiples of 64 bytes in their section, sections at multiples of 4096 in the file.
  @Test func alignment() throws {
    try withTemporaryFolder { folder in
      var writer = try PlanWriter("\(folder)/x", sectionCount: 2)
      try writer.begin(.weights, flags: [.critical, .lazy])
      var offsets: [Int] = []
      for count in [1, 64, 65, 0, 4000] {
        offsets.append(try writer.append([UInt8](repeating: 7, count: count).span.bytes))
      }
      #expect(offsets == [0, 64, 128, 256, 256])
      try writer.add(.meta, [])
      let id = try writer.commit()
      let file = try PlanFile("\(folder)/x")
      #expect(file.id == id)
      #expect(file.sections.map(\.offset) == [4096, 12288])
      #expect(file.sections.map(\.length) == [4256, 0])
      #expect(try Array(file.section(.weights)[128..<193]) == [UInt8](repeating: 7, count: 65))
    }
  }

  @Test func roundingUp() {
    #expect(PlanFormat.aligned(0, to: 64) == 0)
    #expect(PlanFormat.aligned(65, to: 64) == 128)
    #expect(PlanFormat.aligned(Int.max - 62, to: 64) == nil)
    #expect(PlanFormat.aligned(Int.max - 63, to: 64) == Int.max - 63)
  }
}
