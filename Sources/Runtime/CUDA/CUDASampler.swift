import CCUDA
package import GraphIR

/// Guidance and the steps of a sampler on a GPU, so that the next model call needs nothing from the host.
package final class CUDASampler {
  /// A vector that gets the value of a sum, as samplers' tables have them.
  package struct Assignment: Sendable {
    /// 0 is the sample, others are kept from call to call.
    package var target: Int
    /// Vectors with their coefficients, in order.
    package var terms: [(vector: Vector, coefficient: Double)]
    /// Held in ± this.
    package var limit: Float?

    /// Target = Σ terms.
    package init(target: Int, terms: [(vector: Vector, coefficient: Double)], limit: Float?) {
      (self.target, self.terms, self.limit) = (target, terms, limit)
    }
  }

  /// What a sum is of.
  package enum Vector: Sendable {
    /// What the model answered, after guidance.
    case output
    /// Fresh noise.
    case noise
    /// A vector that is kept; 0 is the sample.
    case kept(Int)
  }

  /// What is done behind a model call.
  package struct Step: Sendable {
    /// The call, from 0.
    package var number: Int
    /// In order; later ones see what earlier ones stored.
    package var assignments: [Assignment]
    /// The next call's input is the next sample times this,
    package var inputScale: Double
    /// and its row among the timesteps that are prepared is this.
    package var nextIndex: Int

    /// A step.
    package init(number: Int, assignments: [Assignment], inputScale: Double, nextIndex: Int) {
      (self.number, self.assignments) = (number, assignments)
      (self.inputScale, self.nextIndex) = (inputScale, nextIndex)
    }
  }

  /// Whether the kernel can take a row of a sampler's table.
  package static func takes(_ assignments: [Assignment]) -> Bool {
    assignments.count <= Int(CU_ASSIGNMENTS) && assignments.allSatisfy { $0.terms.count <= Int(CU_TERMS) }
  }

  private let device: CUDADevice
  private let function: CUDAFunction
  private let output: CUDATensor
  private let input: CUDATensor
  private let index: CUDATensor
  private let vectors: CUDATensor
  private let noise: CUDATensor
  private let failure: CUDATensor
  private let count: Int
  private static let never = Float(1 << 24)
  /// Threads of a block.
  static let block = 256

  /// A sampler between a model's output, `[2 · batch, h, w, C]` or without guidance `[batch, h, w, C]`, and its inputs, the
  /// sample `[batch, h, w, C]` and the index of the timestep.
  ///
  /// - Parameter kept: how many vectors are kept, the sample among them.
  /// - Throws: `SDError` (device) for too little memory.
  package init(
    _ device: CUDADevice, output: CUDATensor, input: CUDATensor, index: CUDATensor, kept: Int
  ) throws(SDError) {
    (self.device, self.output, self.input, self.index) = (device, output, input, index)
    count = input.type.count
    vectors = try device.tensor(TensorType(.f32, [kept, count]))
    noise = try device.tensor(TensorType(.f32, [count]))
    failure = try device.tensor(TensorType(.i32, [1]))
    function = try device.modules.function(.sampler, "sampler")
  }

  /// Sets the first sample.
  package func begin(_ sample: [Float]) throws(SDError) {
    let rest = [Float](repeating: 0, count: vectors.type.count - count)
    try vectors.write(sample + rest)
    try failure.write([Self.never])
  }

  /// Makes the next sample and the next call's input from what the model answers, later.
  ///
  /// - Parameters:
  ///   - guidance: how far the prompt is followed; up to 1 it alone.
  ///   - noise: for a step that reads some.
  package func step(_ step: Step, guidance: Float, noise: [Float]?) throws(SDError) {
    if let noise { try self.noise.write(noise) }
    var p = cu_sampler()
    withUnsafeMutableBytes(of: &p.assignments) { bytes in
      for (index, assignment) in step.assignments.enumerated() {
        bytes.bindMemory(to: cu_assignment.self)[index] = cu_assignment(assignment)
      }
    }
    // The prompt's come last.
    let conditional = UInt64(output.type.byteCount - input.type.byteCount)
    (p.unconditional, p.conditional) = (output.memory.address, output.memory.address + conditional)
    (p.vectors, p.noise) = (vectors.memory.address, self.noise.memory.address)
    (p.input, p.index, p.failure) = (input.memory.address, index.memory.address, failure.memory.address)
    (p.input_scale, p.guidance, p.assignment_count) = (step.inputScale, guidance, step.assignments.count.int32)
    (p.count, p.step, p.next_index) = (count.int32, step.number.int32, step.nextIndex.int32)
    try device.context.launch(
      CUDALaunch(
        function: function, grid: (dividedUp(count, Self.block), 1, 1), block: Self.block,
        parameters: withUnsafeBytes(of: p) { Array($0) }))
  }

  /// The sample after the steps so far, when they are done.
  package func sample() throws(SDError) -> [Float] { Array(try vectors.read().prefix(count)) }

  /// The first step whose sample is not finite, when all steps so far are done.
  package func failedStep() throws(SDError) -> Int? {
    let step = try failure.read()[0]
    return step == Self.never ? nil : Int(step)
  }
}

extension cu_assignment {
  fileprivate init(_ assignment: CUDASampler.Assignment) {
    self.init()
    (term_count, target, limit) = (assignment.terms.count.int32, assignment.target.int32, assignment.limit ?? 0)
    withUnsafeMutableBytes(of: &coefficients) { bytes in
      for (index, term) in assignment.terms.enumerated() {
        bytes.bindMemory(to: Double.self)[index] = term.coefficient
      }
    }
    withUnsafeMutableBytes(of: &vectors) {
      $0.store(
        assignment.terms.map { term -> Int32 in
          switch term.vector {
          case .output: Int32(CU_OUTPUT.rawValue)
          case .noise: Int32(CU_NOISE.rawValue)
          case .kept(let index): index.int32
          }
        })
    }
  }
}
