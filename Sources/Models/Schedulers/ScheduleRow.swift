/// One model call of a run, and what is made of the model's answer.
///
/// A sampler is a table of these rows: every coefficient is known before the run starts, so the same table
/// can be executed anywhere. The assignments run in order, element by element; later ones see what
/// earlier ones stored. The last one assigns the next sample.
package struct ScheduleRow: Sendable, Hashable {
  /// A vector that gets the value of a form.
  package struct Assignment: Sendable, Hashable {
    /// `sample` or a slot.
    package var target: LinearForm.Register
    package var form: LinearForm
    /// Applied to the value before it is stored.
    package var limit: SampleLimit?
  }

  /// What the model is told, in training timesteps.
  package var timestep: Double
  /// Model input = sample × this.
  package var inputScale = 1.0
  /// Whether noise is drawn, be it used or not: the generator's state is part of the result.
  package var drawsNoise = false
  package var assignments: [Assignment] = []

  package init(timestep: Double, inputScale: Double = 1, drawsNoise: Bool = false) {
    self.timestep = timestep
    self.inputScale = inputScale
    self.drawsNoise = drawsNoise
  }

  /// Assigns the next sample: the last assignment of a row.
  package mutating func finish(with form: LinearForm) {
    assignments.append(Assignment(target: .sample, form: form))
  }

  /// Keeps a vector for later assignments and calls, which read it as the form that is returned.
  package mutating func keep(
    _ form: LinearForm, inSlot slot: Int, limit: SampleLimit? = nil
  ) -> LinearForm {
    assignments.append(Assignment(target: .slot(slot), form: form, limit: limit))
    return .slot(slot)
  }

  /// The form itself, or, where it has to be limited, the slot that then holds its limited value.
  package mutating func limited(_ form: LinearForm, _ limit: SampleLimit?, slot: Int) -> LinearForm {
    limit == nil ? form : keep(form, inSlot: slot, limit: limit)
  }
}
