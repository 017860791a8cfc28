import CKernels
import Glibc
package import GraphIR
import Synchronization

/// A search for registers that are lost when the system, or a hypervisor below it, switches threads.
///
/// More threads than processors multiply the same blocks again and again, so that most of them are interrupted in the
/// middle of a product. The first result is held against the interpreter, every other one against the first, bit by
/// bit. The factors are small odd integers: their sums are exact in any order. Kernels on tiles multiply again what was
/// interrupted; how often that was needed is counted.
package struct StressTest: Sendable {
  /// What was found.
  package struct Outcome: Sendable {
    /// Threads that ran.
    package var threads: Int
    /// Products that were computed.
    package var blocks: Int
    /// Products with at least one wrong bit.
    package var bad: Int
    /// How long it took.
    package var seconds: Double
    /// Products on tiles that were done again, because the thread had lost its processor meanwhile; in the whole process.
    package var repeated = 0
    /// Of these, the ones that had been wrong: tiles were lost.
    package var lost = 0
  }

  /// The kernel under test.
  package let kernel: CPUKernel
  private let x: TensorStorage
  private let weight: TensorView
  private let expected: TensorStorage
  private let memory: HostMemory

  /// A test of the convolution kernel that this processor uses for bf16: on tiles, where it has them.
  ///
  /// - Throws: `SDError` (device) when the kernel computes something else than the interpreter.
  package init(_ cpu: CPU) throws(SDError) {
    guard let kernel = StressTest.kernel(on: cpu) else {
      throw SDError(.device, "there is no kernel for \(StressTest.weight) on \(cpu.level.rawValue)")
    }
    try self.init(kernel)
  }

  /// The kernel of a processor for the blocks.
  static func kernel(on cpu: CPU) -> CPUKernel? {
    product.cpuKernel(
      KernelSignature(operands: [x, weight], results: [result], isWeight: [false, true]), on: cpu)
  }

  /// A test of any kernel for the same product.
  init(_ kernel: CPUKernel) throws(SDError) {
    self.kernel = kernel
    let (first, second) = (StressTest.factor(StressTest.x, seed: 1), StressTest.factor(StressTest.weight, seed: 2))
    let layout = kernel.weightLayouts[1] ?? .dense
    let dense = try TensorStorage(second.type)
    dense.write(second.values)
    memory = try HostMemory(byteCount: layout.byteCount(second.type))
    layout.pack(dense.memory.base, as: second.type.dtype, to: memory.base, type: second.type, threads: 1)
    weight = TensorView(base: memory.base, type: second.type, pitch: second.type.lastDimension)
    x = try TensorStorage(first.type)
    x.write(first.values)
    expected = try TensorStorage(StressTest.result)
    expected.write(try StressTest.meaning(first, second).values)

    let worker = try Worker(self)
    worker.multiply()
    if let (index, given) = worker.firstDifference {
      throw SDError(
        .device, "\(kernel.name): element \(index) of the first block is \(given), not \(expected.read()[index])",
        hint: "The kernel is wrong on this processor. A lower level, such as SD_CPU=generic, may be right.")
    }
  }

  /// Multiplies on that many threads, for that long.
  ///
  /// - Throws: `SDError`: resources when a thread cannot be started, cancelled when a signal stops it.
  package func run(seconds: Double, threads: Int) throws(SDError) -> Outcome {
    var workers: [Worker] = []
    for _ in 0..<threads { workers.append(try Worker(self)) }
    let (start, before) = (Profile.now(), ck_repeated_products())
    let clock = Clock(end: start + seconds)
    for worker in workers { worker.clock = clock }
    var started: [pthread_t] = []
    var code: Int32 = 0
    for worker in workers where code == 0 {
      var thread = pthread_t()
      // libomp's threads would be as many as processors and would wait for each other; these are the system's own.
      code = pthread_create(
        &thread, nil,
        { worker in
          if let worker { Unmanaged<Worker>.fromOpaque(worker).takeUnretainedValue().work() }
          return nil
        }, Unmanaged.passUnretained(worker).toOpaque())
      if code == 0 { started.append(thread) }
    }
    if code != 0 { clock.stop() }
    for thread in started { pthread_join(thread, nil) }
    guard code == 0 else {
      throw SDError(
        .resources, "cannot start thread \(started.count + 1) of \(threads): \(String(cString: strerror(code)))")
    }
    if let stop = Interruption.error { throw stop }
    let after = ck_repeated_products()
    return withExtendedLifetime(workers) {
      Outcome(
        threads: threads, blocks: workers.reduce(0) { $0 + $1.blocks }, bad: workers.reduce(0) { $0 + $1.bad },
        seconds: Profile.now() - start, repeated: after.all - before.all, lost: after.lost - before.lost)
    }
  }
}

extension StressTest {
  // Many k for few sums, so that a thread spends its time with sums in registers.
  private static let x = TensorType(.bf16, [96, 1024])
  private static let weight = TensorType(.bf16, [96, 1024])
  private static let result = TensorType(.f32, [96, 96])
  private static let product = FusedConv(sources: [FusedConv.Source()])

  /// -7, -5, … 7: exact in bf16, and so are sums of 1,024 of their products in float32.
  private static func factor(_ type: TensorType, seed: UInt64) -> Tensor {
    var random = SplitMix64(seed: seed)
    return Tensor(type, (0..<type.count).map { _ in Float(2 * Int(random.next() >> 61) - 7) })
  }

  private static func meaning(_ x: Tensor, _ weight: Tensor) throws(SDError) -> Tensor {
    let builder = GraphBuilder(name: "stress")
    let operands = [try builder.input("x", x.type), try builder.input("weight", weight.type)]
    try builder.output("y", builder.add(product, operands))
    guard let y = try Interpreter().run(builder.graph, inputs: ["x": x, "weight": weight])["y"] else {
      throw SDError(.invalid, "the graph of the stress test has no result")
    }
    return y
  }

  /// When to end.
  private final class Clock: Sendable {
    private let end: Double
    private let stopped = Atomic(false)

    init(end: Double) { self.end = end }

    var isRunning: Bool {
      !stopped.load(ordering: .relaxed) && Interruption.signal == nil && Profile.now() < end
    }

    func stop() { stopped.store(true, ordering: .relaxed) }
  }

  /// What one thread has for itself; nobody else looks at it while that thread runs.
  private final class Worker: @unchecked Sendable {
    var clock: Clock?
    private(set) var blocks = 0
    private(set) var bad = 0
    private let test: StressTest
    private let result: TensorStorage
    private let scratch: HostMemory
    private let body: CPUKernel.Body

    init(_ test: StressTest) throws(SDError) {
      self.test = test
      result = try TensorStorage(StressTest.result)
      scratch = try HostMemory(byteCount: max(64, test.kernel.scratchBytes))
      body = try test.kernel.bind(KernelTensors(operands: [test.x.view, test.weight], results: [result.view]))
    }

    func multiply() {
      // What the last block left would hide a store that is lost. All bits set is no number.
      memset(result.memory.base, 0xFF, StressTest.result.byteCount)
      for part in 0..<test.kernel.parts { body(part, scratch.base) }
    }

    func work() {
      while let clock, clock.isRunning {
        multiply()
        blocks += 1
        if memcmp(result.memory.base, test.expected.memory.base, StressTest.result.byteCount) != 0 { bad += 1 }
      }
    }

    var firstDifference: (index: Int, given: Float)? {
      zip(result.read(), test.expected.read()).enumerated().first { $1.0 != $1.1 }.map { ($0, $1.0) }
    }
  }
}
