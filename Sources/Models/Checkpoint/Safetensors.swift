public import GraphIR
import GraphRuntime

#if _endian(big)
  #error("safetensors data is little-endian and used in place")
#endif

/// The tensors of a safetensors file, or of several that an index joins. The data stays in the file, mapped.
///
/// Everything the format demands is checked when the file is opened, before anything is allocated: see `Header`.
/// Tensors need not be aligned to their element type.
public struct Safetensors: Sendable {
  /// The file or index, as it was given.
  public let path: String
  /// All tensors by name.
  public let tensors: [String: Entry]
  /// The `__metadata__` of the file, text by name.
  public let metadata: [String: String]

  /// One tensor of a file.
  public struct Entry: Sendable {
    /// The name.
    public let name: String
    /// The dimensions, outermost first: at most 8, each below 2³¹. Data is dense, row-major.
    public let shape: [Int]
    /// The element type in the file's spelling: `F32`, `BF16`, `F8_E4M3`, ...
    public let storedType: String
    let range: Range<Int>
    let file: MappedFile

    /// The data. Valid while this entry, or the `Safetensors` it comes from, lives: hold one of them in a variable to
    /// the end of the use (`extendLifetime`), a temporary dies first.
    public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: file.bytes[range]) }

    /// The element type. Throws `.incompatible` for a type that the file may have but no model here uses.
    public var dtype: DType {
      get throws(SDError) {
        guard let dtype = Header.dtypes[storedType] else { throw cannotUse("F32, F16, BF16, I64 or I32") }
        return dtype
      }
    }

    func cannotUse(_ required: String) -> SDError {
      SDError(
        .incompatible, "\(file.path): tensor \(JSON.quoted(name)) is \(storedType), it must be \(required)")
    }
  }

  /// Opens one file. `mapped: false` reads it into memory instead.
  ///
  /// Throws `.invalid` with file and tensor for every fault of the format, and what `MappedFile` throws.
  public init(path: String, mapped: Bool = true) throws(SDError) {
    let header = try Header(MappedFile(path, mapped: mapped))
    self.init(path: path, tensors: header.tensors, metadata: header.metadata)
  }

  init(path: String, tensors: [String: Entry], metadata: [String: String]) {
    self.path = path
    self.tensors = tensors
    self.metadata = metadata
  }

  /// The tensor of a name. Throws `.incompatible` if there is none.
  public func tensor(_ name: String) throws(SDError) -> Entry {
    if let entry = tensors[name] { return entry }
    let known = WeightNames.nearest(to: name, in: tensors.keys.sorted())
    throw SDError(
      .incompatible, "\(path): there is no tensor \(JSON.quoted(name))",
      hint: known.map { "Did you mean \(JSON.quoted($0))?" })
  }
}
