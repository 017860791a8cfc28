import Glibc
import GraphIR
import GraphRuntime
import TestSupport
import Testing

struct MappedFileTests {
  @Test(arguments: [true, false])
  func content(mapped: Bool) throws {
    try withTemporaryFolder { folder in
      let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
      put(bytes, folder + "/f")
      let file = try MappedFile(folder + "/f", mapped: mapped)
      #expect(Array(file.bytes) == bytes)
      #expect(file.path == folder + "/f")
      put([], folder + "/empty")
      let empty = try MappedFile(folder + "/empty", mapped: mapped)
      #expect(empty.bytes.isEmpty)
    }
  }

  @Test(arguments: [true, false])
  func refusals(mapped: Bool) throws {
    try withTemporaryFolder { folder in
      mkfifo(folder + "/pipe", 0o600)
      func open(_ path: String) -> SDError? { failure { try MappedFile(path, mapped: mapped) } }
      #expect(open(folder + "/none") == SDError(.invalid, "\(folder)/none: the file does not exist"))
      #expect(open(folder) == SDError(.invalid, "\(folder): a file is required, this is a folder"))
      #expect(
        open(folder + "/pipe")
          == SDError(.invalid, "\(folder)/pipe: a file is required, this is a device, pipe or socket"))
      #expect(
        open("/dev/zero")
          == SDError(.invalid, "/dev/zero: a file is required, this is a device, pipe or socket"))
      #expect(open("") == SDError(.invalid, ": the file does not exist"))
      #expect(open("a\0b") == SDError(.invalid, #""a\u0000b": a path cannot contain a zero byte"#))
      put([1], folder + "/f")
      #expect(open(folder + "/f/g") == SDError(.invalid, "\(folder)/f/g: cannot be opened: Not a directory"))
    }
  }

  @Test(.enabled(if: geteuid() != 0, "root may read everything"))
  func unreadable() throws {
    try withTemporaryFolder { folder in
      put([1], folder + "/f")
      chmod(folder + "/f", 0)
      #expect(
        failure { try MappedFile(folder + "/f") }
          == SDError(.resources, "\(folder)/f: cannot be opened: Permission denied"))
    }
  }

  /// Binary attributes in sysfs have a size and cannot be mapped (ENODEV).
  @Test(.enabled(if: access("/sys/kernel/notes", R_OK) == 0, "no sysfs here"))
  func fileSystemWithoutMapping() throws {
    let path = "/sys/kernel/notes"
    let descriptor = open(path, O_RDONLY)
    defer { close(descriptor) }
    try #require(mmap(nil, 1, PROT_READ, MAP_PRIVATE, descriptor, 0) == MAP_FAILED && errno == ENODEV)
    let file = try MappedFile(path)
    #expect(Array(file.bytes) == get(path))
  }
}
