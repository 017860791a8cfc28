import GraphIR

/// What compiled kernels take, read from a cubin: an ELF file in which NVIDIA describes every kernel by attributes.
struct Cubin {
  struct Kernel {
    let name: String
    /// Bytes of the parameters.
    let parameterBytes: Int
    /// The most threads that a block may have.
    let threads: Int
    /// Registers of a thread.
    let registers: Int
    /// Local memory of a thread, calls included: spilled registers, and arrays that are indexed at run time.
    let stackBytes: Int
    /// Shared memory of a block that is there without being asked for.
    let sharedBytes: Int
  }

  /// By name.
  let kernels: [String: Kernel]

  init(_ bytes: [UInt8]) throws(SDError) {
    let file = ELF(bytes: bytes)
    let sections = try file.sections()
    func section(_ name: String) throws(SDError) -> ELF.Section {
      guard let section = sections[name] else { throw SDError(.invalid, "a cubin without '\(name)'") }
      return section
    }
    let all = try file.attributes(section(".nv.info"))
    var kernels: [String: Kernel] = [:]
    for name in sections.keys.filter({ $0.hasPrefix(".text.") }).map({ String($0.dropFirst(6)) }) {
      let own = try file.attributes(section(".nv.info." + name))
      // The lower bits are the kernel's symbol, which the attributes of all kernels are listed by.
      let symbol = try section(".text." + name).info & 0xFF_FFFF
      func value(_ id: Attribute) throws(SDError) -> [Int] {
        let found = own.first { $0.id == id.rawValue } ?? all.first { $0.id == id.rawValue && $0.value.first == symbol }
        guard let found else { throw SDError(.invalid, "the kernel '\(name)' has no attribute '\(id)'") }
        return found.value
      }
      kernels[name] = Kernel(
        name: name, parameterBytes: try value(.parameterBytes)[0], threads: try value(.threads).reduce(1, *),
        registers: try value(.registers)[1], stackBytes: try value(.stackBytes)[1],
        sharedBytes: sections[".nv.shared." + name]?.size ?? 0)
    }
    self.kernels = kernels
  }

  /// By NVIDIA's numbers.
  private enum Attribute: Int {
    /// EIATTR_MAX_THREADS, in three dimensions.
    case threads = 0x05
    /// EIATTR_MIN_STACK_SIZE: symbol and bytes.
    case stackBytes = 0x12
    /// EIATTR_CBANK_PARAM_SIZE.
    case parameterBytes = 0x19
    /// EIATTR_REGCOUNT: symbol and number.
    case registers = 0x2F
  }
}

/// The parts of a 64-bit ELF file that cubins are read by.
private struct ELF {
  struct Section {
    let offset: Int
    let size: Int
    let info: Int
  }

  let bytes: [UInt8]

  /// A little-endian number.
  func number(_ offset: Int, _ count: Int) throws(SDError) -> Int {
    guard offset >= 0, offset + count <= bytes.count else { throw SDError(.invalid, "a cubin that ends too early") }
    return bytes[offset..<offset + count].reversed().reduce(0) { $0 << 8 | Int($1) }
  }

  /// The sections by name.
  func sections() throws(SDError) -> [String: Section] {
    let (table, size, count) = (try number(0x28, 8), try number(0x3A, 2), try number(0x3C, 2))
    let names = try number(table + number(0x3E, 2) * size + 0x18, 8)
    var sections: [String: Section] = [:]
    for header in stride(from: table, to: table + count * size, by: size) {
      let name = try names + number(header, 4)
      sections[String(decoding: bytes[name...].prefix { $0 != 0 }, as: UTF8.self)] = Section(
        offset: try number(header + 0x18, 8), size: try number(header + 0x20, 8), info: try number(header + 0x2C, 4))
    }
    return sections
  }

  /// NVIDIA's attributes: a format, a number, and either two bytes of value or as many as these say.
  func attributes(_ section: Section) throws(SDError) -> [(id: Int, value: [Int])] {
    var (attributes, place): ([(id: Int, value: [Int])], Int) = ([], section.offset)
    while place < section.offset + section.size {
      let (format, id, short) = (try number(place, 1), try number(place + 1, 1), try number(place + 2, 2))
      place += 4
      var value = [short]
      if format == 4 {
        value = []
        for word in 0..<short / 4 { value.append(try number(place + 4 * word, 4)) }
        place += short
      }
      attributes.append((id, value))
    }
    return attributes
  }
}
