package import GraphIR
import Synchronization

/// The threaded CPU. Threads are libomp's; kernels are cut into parts whose number changes no bit.
package struct CPUDevice: HostDevice {
  /// `cpu`.
  package let name = "cpu"
  /// How many threads run a kernel's parts.
  package let threads: Int
  /// The instruction set.
  package let cpu: CPU

  /// A processor.
  ///
  /// - Parameters:
  ///   - threads: nil takes one for every processor that this process can use.
  ///   - tuning: what was measured where a plan was made; used by processors like that one.
  package init(threads: Int? = nil, cpu: CPU = .best, tuning: CPUTuning? = nil) {
    self.threads = threads ?? AvailableProcessors.count
    var cpu = cpu
    cpu.threads = self.threads
    if let tuning, tuning.fits(cpu) { cpu.blockings = tuning.blockings }
    self.cpu = cpu
  }

  /// The kernels of ops that conform to `CPULowerable`; primitives without one run their meaning.
  package var library: any KernelLibrary { CPULibrary(cpu: cpu) }

  /// FLOP/s of all threads together, each in a loop of independent multiply-adds (`CPU.measuredPeak`).
  package func measuredPeak(_ dtype: DType, seconds: Double) -> Double {
    let peaks = Peaks()
    parallel(threads: threads, parts: threads) { [cpu] _, _ in
      let peak = cpu.measuredPeak(dtype, seconds: seconds)
      peaks.values.withLock { $0.append(peak) }
    }
    return peaks.values.withLock { $0.reduce(0, +) }
  }

  package func peakFLOPS(_ dtype: DType) -> Double { measuredPeak(dtype, seconds: 0.1) }

  /// Binds every step's kernel to its addresses.
  package func prepare(
    _ program: Program, weights: any WeightSource, arena: HostMemory, bindings: [String: TensorStorage],
    profile: Profile?
  ) throws(SDError) -> any Executable {
    try CPUExecutable(
      program, threads: threads, weights: weights, arena: arena, bindings: bindings, profile: profile)
  }
}

/// What the threads measured.
private final class Peaks: Sendable {
  let values = Mutex<[Double]>([])
}

private struct CPULibrary: KernelLibrary {
  let cpu: CPU

  func kernel(for op: any Op, _ signature: KernelSignature) -> (any Kernel)? {
    if let lowerable = op as? any CPULowerable, let kernel = lowerable.cpuKernel(signature, on: cpu) {
      return kernel
    }
    return (op as? any PrimitiveOp).map { meaning(of: $0) }
  }

  /// The slow last resort: the op's own evaluation, in one part.
  private func meaning(of op: some PrimitiveOp) -> CPUKernel {
    CPUKernel("\(type(of: op).id).meaning", parts: 1, acceptsPitch: true) { tensors in
      { _, _ in
        let operands = tensors.operands.map { Tensor($0.type, $0.read()) }
        // The operands passed the type rule; an op that still fails leaves NaN, which the caller finds.
        let results =
          (try? op.evaluate(operands))
          ?? tensors.results.map {
            Tensor($0.type, [Float](repeating: .nan, count: $0.type.count))
          }
        for (view, result) in zip(tensors.results, results) { view.write(result.values) }
      }
    }
  }
}
