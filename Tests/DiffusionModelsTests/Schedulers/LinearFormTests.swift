import Testing

@testable import DiffusionModels

@Suite struct LinearFormTests {
  @Test func likeTermsAreCollected() {
    let form: LinearForm = 2 * (.sample - .output / 4) + .slot(3) + .output
    #expect(form.terms.map(\.register) == [.sample, .output, .slot(3)])
    #expect(form.terms.map(\.coefficient) == [2, 0.5, 1])
  }

  @Test func termsThatCancelAreDropped() {
    #expect(LinearForm.sample - .sample == .zero)
    #expect(0 * LinearForm.noise == .zero)
    #expect((.sample + .output) - .sample == LinearForm.output)
  }
}

@Suite struct SampleLimitTests {
  @Test func clipping() {
    #expect(SampleLimit.clip(0.5).applied(to: [-2, -0.25, 0.5, 3]) == [-0.5, -0.25, 0.5, 0.5])
  }

  @Test func thresholding() {
    // The quantile at 0.75 of 0 1 2 3 4 is 3.
    let values: [Float] = [0, -1, 2, -3, 4]
    let wide = SampleLimit.threshold(ratio: 0.75, maximum: 10).applied(to: values)
    #expect(wide == [0, -1 / 3, 2 / 3, -1, 1])
    let held = SampleLimit.threshold(ratio: 0.75, maximum: 2).applied(to: values)
    #expect(held == [0, -0.5, 1, -1, 1])
    // Between two magnitudes the quantile is interpolated: 0.6 · 4 = 2.4.
    let between = SampleLimit.threshold(ratio: 0.6, maximum: 10).applied(to: values)
    #expect(abs(between[2] - 2 / 2.4) < 1e-6)
    // Never below 1, so that small samples stay.
    #expect(SampleLimit.threshold(ratio: 0.5, maximum: 10).applied(to: [0.1, -0.2]) == [0.1, -0.2])
    #expect(SampleLimit.threshold(ratio: 1, maximum: 1).applied(to: []) == [])
  }
}
