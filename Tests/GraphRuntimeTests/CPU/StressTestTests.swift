import EmulatedTiles
import GraphIR
import Synchronization
import TestSupport
import Testing

@testable import GraphRuntime

/// The search for lost registers finds what is wrong, and nothing where all is right.
struct StressTestTests {
  @Test(arguments: CPU.checked) func everyBlockIsRight(cpu: CPU) throws {
    let outcome = try StressTest(cpu).run(seconds: 0.3, threads: 8)
    #expect(outcome.threads == 8 && outcome.blocks > 0 && outcome.bad == 0)
    #expect(outcome.seconds >= 0.3)
  }

  /// A thread is told when another had its processor, and most of the time nothing where it only ran.
  @Test(.enabled(if: is_told_of_nothing() >= 0, "this system does not tell threads that they lost their processor"))
  func threadsAreTold() {
    #expect(is_told_of_another(30) == 1)
    #expect((0..<10).contains { _ in is_told_of_nothing() == 0 })
  }

  /// Emulated tiles are lost in the middle of products.
  @Test(.enabled(if: is_told_of_nothing() >= 0, "this system does not tell threads that they lost their processor"))
  func lostTilesAreMultipliedAgain() throws {
    for cpu in CPU.checked where cpu == .emulatingTiles {
      let outcome = try StressTest(cpu).run(seconds: 0.3, threads: 2)
      #expect(outcome.bad == 0 && outcome.lost > 0 && outcome.repeated >= outcome.lost)
    }
  }

  /// One bit of one block.
  @Test func aWrongBlockIsCounted() throws {
    let outcome = try StressTest(faulty(in: 5)).run(seconds: 0.3, threads: 3)
    #expect(outcome.blocks >= 5 && outcome.bad == 1)
  }

  /// What is compared with must be right itself.
  @Test func theFirstBlockIsChecked() throws {
    do {
      _ = try StressTest(faulty(in: 1))
      Issue.record("a wrong first block was taken for right")
    } catch {
      let error = try #require(error as? SDError)
      #expect(error.code == .device)
      #expect(error.message.hasPrefix("faulty: element 1 of the first block is "), "\(error.message)")
    }
  }

  /// The kernel of this processor, but the lowest bit of element 1 is wrong in the given block, counted from 1.
  private func faulty(in block: Int) throws -> CPUKernel {
    let right = try #require(StressTest.kernel(on: .best))
    let calls = Calls()
    return CPUKernel(
      "faulty", parts: right.parts, scratchBytes: right.scratchBytes, weightLayouts: right.weightLayouts
    ) { (tensors) throws(SDError) in
      let body = try right.bind(tensors)
      let y = tensors.results[0]
      return { part, scratch in
        body(part, scratch)
        guard part == right.parts - 1, calls.next() == block else { return }
        y[0, 1] = Float(bitPattern: y[0, 1].bitPattern ^ 1)
      }
    }
  }

  private final class Calls: Sendable {
    private let count = Atomic(0)

    func next() -> Int { count.add(1, ordering: .relaxed).newValue }
  }
}
