package import GraphIR

/// A graph made ready for one target: which kernels run, in which order, on which bytes. Pure data.
package struct Program: Sendable {
  /// Bytes of the arena, for results that live between steps.
  package struct Buffer: Sendable {
    /// Size, a multiple of 64.
    package var byteCount: Int
    /// The step that writes it.
    package var first: Int
    /// The last step that reads it.
    package var last: Int
    /// The buffer over which it is written: that one is read for the last time by the step that writes this one.
    package var replaces: Int?
    /// Place in the arena, given by the memory planner.
    package var offset = 0
  }

  /// A weight as some step wants it.
  package struct Weight: Hashable, Sendable {
    /// The parameter's name in the graph.
    package var name: String
    /// Its element type and logical shape.
    package var type: TensorType
    /// How it lies in memory.
    package var layout: WeightLayout
  }

  /// An input or output, bound by name before the run.
  package struct Binding: Hashable, Sendable {
    /// The graph's name for it.
    package var name: String
    /// Element type and shape; bound memory is dense.
    package var type: TensorType
  }

  /// Where the bytes of an operand are.
  package enum Place: Hashable, Sendable {
    /// A buffer of the arena.
    case buffer(Int)
    /// An entry of `weights`.
    case weight(Int)
    /// An entry of `constants`.
    case constant(Int)
    /// An entry of `inputs`.
    case input(Int)
    /// An entry of `outputs`.
    case output(Int)
  }

  /// A tensor as a step sees it; slices and reshapes are operands over the same place.
  package struct Operand: Hashable, Sendable {
    /// Whose bytes.
    package var place: Place
    /// Bytes from the start of the place.
    package var offset: Int
    /// Elements from a row to the next.
    package var pitch: Int
    /// Element type and shape.
    package var type: TensorType

    /// Whether the rows follow each other without gaps.
    package var isDense: Bool { pitch == type.lastDimension || type.rows <= 1 }

    /// Bytes from the first to one behind the last element.
    package var byteSpan: Int {
      type.count == 0 ? 0 : ((type.rows - 1) * pitch + type.lastDimension) * type.dtype.size
    }
  }

  /// One kernel call.
  package struct Step: Sendable {
    /// What it computes.
    package var op: any Op
    /// Who computes it.
    package var kernel: any Kernel
    /// What it reads.
    package var operands: [Operand]
    /// What it writes.
    package var results: [Operand]
    /// Where the model declared it.
    package var location: String
    /// Floating-point operations.
    package var flops: Int

    /// Bytes that it must read and write at least once.
    package var bytes: Int { (operands + results).reduce(0) { saturatingSum($0, $1.type.byteCount) } }
  }

  /// The graph that it computes.
  package var graph: Graph
  /// The arena's buffers.
  package var buffers: [Buffer] = []
  /// The weights it needs.
  package var weights: [Weight] = []
  /// Small tensors out of the graph.
  package var constants: [Constant] = []
  /// What the caller binds and the program reads.
  package var inputs: [Binding] = []
  /// What the caller binds and the program writes.
  package var outputs: [Binding] = []
  /// The kernel calls in order.
  package var steps: [Step] = []
  /// Bytes of the arena.
  package var arenaBytes = 0
  /// The most bytes that are alive at one step: no plan needs less.
  package var arenaLowerBound = 0

  /// Bytes of all weights in their layouts.
  package var weightBytes: Int { weights.reduce(0) { $0 + $1.layout.byteCount($1.type) } }
  /// Bytes that every thread needs for itself.
  package var scratchBytes: Int { steps.reduce(0) { max($0, $1.kernel.scratchBytes) } }
  /// Floating-point operations of one run.
  package var flops: Int { steps.reduce(0) { saturatingSum($0, $1.flops) } }
  /// Bytes that the steps of one run must read and write.
  package var bytes: Int { steps.reduce(0) { saturatingSum($0, $1.bytes) } }
}
