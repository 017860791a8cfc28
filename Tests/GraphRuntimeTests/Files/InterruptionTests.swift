import CKernels
import Glibc
import GraphRuntime
import TestSupport
import Testing

/// Signals go to a child process, whose only calls are C functions that are safe between `fork` and `_exit`.
struct InterruptionTests {
  @Test(arguments: [SIGINT, SIGTERM, SIGHUP])
  func secondSignalRemovesTemporaryFiles(number: Int32) throws {
    try withTemporaryFolder { folder in
      let (live, released) = (folder + "/live", folder + "/released")
      put([1], live)
      put([1], released)
      let status = try child {
        ck_temporary_remove(ck_temporary_add(released))
        _ = ck_temporary_add(live)
        ck_catch_signals()
        if ck_interrupted() != 0 { _exit(1) }
        raise(number)
        if ck_interrupted() != number { _exit(2) }
        raise(SIGTERM)
      }
      #expect(status == (128 + SIGTERM) << 8)
      #expect(entries(of: folder) == ["released"])
    }
  }

  @Test func ignoredSignalStaysIgnored() throws {
    let status = try child {
      signal(SIGHUP, SIG_IGN)
      ck_catch_signals()
      raise(SIGHUP)
      _exit(ck_interrupted())
    }
    #expect(status == 0)
  }

  @Test func slots() throws {
    #expect(ck_temporary_add(String(repeating: "x", count: 4096)) == -1)
    let status = try child {
      for slot: Int32 in 0..<32 where ck_temporary_add("x") != slot { _exit(1) }
      if ck_temporary_add("x") != -1 { _exit(2) }
      ck_temporary_remove(-1)
      ck_temporary_remove(7)
      _exit(ck_temporary_add("x") == 7 ? 0 : 3)
    }
    #expect(status == 0)
  }

  @Test func noSignalYet() {
    #expect(Interruption.signal == nil)
  }

  /// The wait status of a child that runs `body`.
  private func child(_ body: () -> Void) throws -> Int32 {
    // Swift hides fork because little may be called after it; the bodies above keep to that.
    let fork = try #require(dlsym(nil, "fork"))
    let process = unsafeBitCast(fork, to: (@convention(c) () -> pid_t).self)()
    if process == 0 {
      // Threads of the test runner block signals.
      var none = sigset_t()
      sigemptyset(&none)
      sigprocmask(SIG_SETMASK, &none, nil)
      // Files that other tests are writing at this moment are not this process's.
      for slot: Int32 in 0..<32 { ck_temporary_remove(slot) }
      body()
      _exit(99)
    }
    var status: Int32 = -1
    waitpid(process, &status, 0)
    return status
  }
}
