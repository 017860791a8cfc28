import Glibc
import GraphIR
import GraphRuntime
import TestSupport
import Testing

struct AtomicFileTests {
  @Test func writesAndReplaces() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/out"
      for text in ["first", "second"] {
        var file = try AtomicFile(path)
        try file.append(Array(text.utf8))
        try file.append([UInt8(ascii: "!")])
        try [UInt8(ascii: "X")].withUnsafeBytes { try file.write($0, at: 1) }
        #expect(file.size == text.utf8.count + 1)
        #expect(get(path) == (text == "first" ? nil : Array("fXrst!".utf8)))
        try file.commit()
      }
      #expect(get(path) == Array("sXcond!".utf8))
      #expect(entries(of: folder) == ["out"])
    }
  }

  @Test func abandonedFileLeavesNothing() throws {
    try withTemporaryFolder { folder in
      put([1], folder + "/out")
      do {
        var file = try AtomicFile(folder + "/out")
        try file.append([2])
        #expect(entries(of: folder).count == 2)
      }
      #expect(entries(of: folder) == ["out"])
      #expect(get(folder + "/out") == [1])
    }
  }

  @Test func mappedTargetKeepsItsBytes() throws {
    try withTemporaryFolder { folder in
      put([1, 2, 3], folder + "/out")
      let old = try MappedFile(folder + "/out")
      var file = try AtomicFile(folder + "/out")
      try file.append([9])
      try file.commit()
      #expect(Array(old.bytes) == [1, 2, 3])
      #expect(get(folder + "/out") == [9])
    }
  }

  @Test func permissionsAndLinks() throws {
    try withTemporaryFolder { folder in
      func mode(_ path: String) -> mode_t {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mode & 0o777 : 0
      }
      let mask = umask(0)
      umask(mask)
      try AtomicFile(folder + "/new").commit()
      #expect(mode(folder + "/new") == 0o644 & ~mask)
      chmod(folder + "/new", 0o600)
      symlink("new", folder + "/link")
      try AtomicFile(folder + "/link").commit()
      #expect(mode(folder + "/new") == 0o600)
      #expect(entries(of: folder) == ["link", "new"])
      var status = stat()
      #expect(lstat(folder + "/link", &status) == 0 && status.st_mode & S_IFMT == S_IFLNK)
    }
  }

  /// Every call of a save fails in turn, in every way a disk can: the error says so, the old file stays, nothing else does.
  @Test(arguments: [
    (ENOSPC, "disk full while writing"), (EDQUOT, "disk quota exceeded while writing"), (EIO, "cannot write"),
  ])
  func everyFailingCall(code: Int32, sentence: String) throws {
    try withTemporaryFolder { folder in
      let path = folder + "/out"
      var failures = 0
      for n in 0... {
        put([1, 2, 3], path)
        let error = failure { try save(path, failing: n, with: code) }
        #expect(entries(of: folder) == ["out"])
        guard let error else { break }
        failures += 1
        #expect(get(path) == [1, 2, 3])
        #expect(error.code == .resources)
        #expect(error.message.hasPrefix("\(sentence) \(path)"))
        #expect(error.hint == "\(path) is as it was before; the incomplete copy is removed.")
      }
      #expect(failures == 7)  // five writes, fsync, rename
      #expect(get(path)?.count == 3000)
    }
  }

  @Test func sentences() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/out"
      #expect(
        failure { try save(path, failing: 3, with: ENOSPC) }?.message
          == "disk full while writing \(path): 2000 bytes are written, 1000 more are needed")
      #expect(
        failure { try save(path, failing: 1, with: EIO) }?.message
          == "cannot write \(path): Input/output error: 700 bytes are written, 1300 more are needed")
      #expect(
        failure { try save(path, failing: 5, with: EDQUOT) }?.message
          == "disk quota exceeded while writing \(path): 3000 bytes are written")
    }
  }

  @Test func interruptedCallsAreRepeated() throws {
    try withTemporaryFolder { folder in
      try save(folder + "/out", failing: 1, with: EINTR)
      #expect(get(folder + "/out") == [UInt8](repeating: 7, count: 3000))
    }
  }

  @Test func checkWritable() throws {
    try withTemporaryFolder { folder in
      put([], folder + "/file")
      mkfifo(folder + "/pipe", 0o600)
      let long = String(repeating: "n", count: 256)
      for (path, sentence) in [
        ("\(folder)/none/out", "the folder \(folder)/none does not exist"),
        ("\(folder)/file/out", "\(folder)/file is not a folder"),
        (folder, "it is a folder"), ("\(folder)/new/", "it names a folder"), ("", "the path is empty"),
        ("\(folder)/pipe", "it is a device, pipe or socket"), ("/dev/null", "it is a device, pipe or socket"),
        ("\(folder)/\(long)", "File name too long"),
      ] {
        let expected = SDError(.resources, "cannot write \(path.isEmpty ? "\"\"" : path): \(sentence)")
        #expect(failure { try AtomicFile.checkWritable(path) } == expected)
        #expect(failure { try AtomicFile(path).commit() } == expected)
      }
      try AtomicFile.checkWritable(folder + "/file")
      try AtomicFile.checkWritable(folder + "/new")
      #expect(entries(of: folder) == ["file", "pipe"])
    }
  }

  @Test(.enabled(if: geteuid() != 0, "root may write everywhere"))
  func missingPermission() throws {
    try withTemporaryFolder { folder in
      put([], folder + "/file")
      chmod(folder + "/file", 0o444)
      #expect(
        failure { try AtomicFile.checkWritable(folder + "/file") }?.message
          == "cannot write \(folder)/file: the file exists and is not writable")
      chmod(folder, 0o555)
      defer { chmod(folder, 0o755) }
      #expect(
        failure { try AtomicFile.checkWritable(folder + "/new") }?.message
          == "cannot write \(folder)/new: the folder \(folder) is not writable")
    }
  }

  /// Saves 3000 bytes in chunks of 2000 and 1000, at most 700 a call; call number `failing` fails with `code`, once.
  private func save(_ path: String, failing: Int, with code: Int32) throws {
    nonisolated(unsafe) var count = 0
    let fails: @Sendable () -> Bool = {
      defer { count += 1 }
      if count == failing { errno = code }
      return count == failing
    }
    var calls = AtomicFile.SystemCalls()
    calls.write = { fails() ? -1 : pwrite($0, $1, min($2, 700), $3) }
    calls.sync = { fails() ? -1 : fsync($0) }
    calls.rename = { fails() ? -1 : rename($0, $1) }
    var file = try AtomicFile(path, calls: calls)
    try file.append([UInt8](repeating: 7, count: 2000))
    try file.append([UInt8](repeating: 7, count: 1000))
    try file.commit()
  }
}
