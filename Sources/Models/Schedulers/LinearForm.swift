/// A sum of vectors times numbers, `2·sample − 0.5·output`, as a formula: the vectors are named, not known.
///
/// Samplers are written with it the way papers print them, and what comes out are the coefficients.
package struct LinearForm: Sendable, Hashable {
  /// A vector of the latents' size.
  package enum Register: Sendable, Hashable {
    /// The sample that the model was called with (before scaling).
    case sample
    /// What the model answered.
    case output
    /// Fresh noise from N(0, 1).
    case noise
    /// A vector kept from call to call.
    case slot(Int)
  }

  /// One vector with its coefficient.
  package struct Term: Sendable, Hashable {
    package var register: Register
    package var coefficient: Double
  }

  /// In the order of first mention, each register once, none with coefficient 0.
  package private(set) var terms: [Term] = []

  package static let zero = LinearForm()
  package static let sample = LinearForm(.sample)
  package static let output = LinearForm(.output)
  package static let noise = LinearForm(.noise)

  package static func slot(_ index: Int) -> LinearForm { LinearForm(.slot(index)) }

  private init() {}

  private init(_ register: Register) { terms = [Term(register: register, coefficient: 1)] }

  package static func + (a: LinearForm, b: LinearForm) -> LinearForm {
    var sum = a
    for term in b.terms {
      if let index = sum.terms.firstIndex(where: { $0.register == term.register }) {
        sum.terms[index].coefficient += term.coefficient
      } else {
        sum.terms.append(term)
      }
    }
    sum.terms.removeAll { $0.coefficient == 0 }
    return sum
  }

  package static func * (factor: Double, form: LinearForm) -> LinearForm {
    var product = form
    for index in product.terms.indices { product.terms[index].coefficient *= factor }
    product.terms.removeAll { $0.coefficient == 0 }
    return product
  }

  package static func - (a: LinearForm, b: LinearForm) -> LinearForm { a + -1 * b }

  package static func / (form: LinearForm, divisor: Double) -> LinearForm {
    var quotient = form
    for index in quotient.terms.indices { quotient.terms[index].coefficient /= divisor }
    return quotient
  }
}
