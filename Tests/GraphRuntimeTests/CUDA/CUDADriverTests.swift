import Foundation
import GraphIR
import GraphRuntime
import TestSupport
import Testing

/// Loading a driver in all the states that drivers are found in.
struct CUDADriverTests {
  private func message(_ body: () throws(SDError) -> Void) -> String? {
    do throws(SDError) { try body() } catch { return error.code == .device ? error.message : "\(error)" }
    return nil
  }

  private static let hasDriver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL) != nil

  @Test func works() throws {
    let fake = try FakeCUDA(["DEVICES": "3", "DRIVER": "12040"])
    let driver = try fake.driver()
    #expect(driver.version == 12040 && driver.deviceCount == 3)
    #expect(fake.leaks.isEmpty)
  }

  @Test(.enabled(if: !hasDriver, "this machine has a driver"))
  func missing() throws {
    #expect(
      message { () throws(SDError) in _ = try CUDADriver(folder: "/nowhere") }
        == "no NVIDIA driver: libcuda.so.1 was not found")
  }

  @Test(.enabled(if: !hasDriver, "this machine has a driver"))
  func noLibrary() throws {
    try withTemporaryFolder { folder in
      put(Array("hello".utf8), "\(folder)/libcuda.so.1")
      #expect(
        message { () throws(SDError) in _ = try CUDADriver(folder: folder) }
          == "no NVIDIA driver: \(folder)/libcuda.so.1: file too short")
    }
  }

  /// What containers without a GPU are often given.
  @Test func stub() throws {
    try withTemporaryFolder { folder in
      put(Array("int cuInit(unsigned flags) { return 34; }\n".utf8), "\(folder)/stub.c")
      try FakeCUDA.compile(["-shared", "-fPIC", "\(folder)/stub.c", "-o", "\(folder)/libcuda.so.1"])
      #expect(
        message { () throws(SDError) in _ = try CUDADriver(folder: folder) }
          == "the NVIDIA driver has no 'cuDriverGetVersion': its libcuda.so.1 is too old or a stub")
    }
  }

  @Test func tooOld() throws {
    let fake = try FakeCUDA(["DRIVER": "11080", "FAIL": "cuInit:1:803"])
    #expect(
      message { () throws(SDError) in _ = try fake.driver() }
        == "the NVIDIA driver is for CUDA 11.8, CUDA 12.0 or newer is required")
  }

  @Test func noGPU() throws {
    let fake = try FakeCUDA(["DEVICES": "0"])
    #expect(message { () throws(SDError) in _ = try fake.driver() } == "cannot start CUDA: the driver finds no GPU")
  }

  @Test(arguments: CUDAStatus.allCases)
  func failingStart(status: CUDAStatus) throws {
    let fake = try FakeCUDA(["FAIL": "cuInit:1:\(status.rawValue)"])
    let expected = SDError.cuda(status.rawValue, name: "", cannot: "start CUDA")
    #expect(throws: expected) { _ = try fake.driver() }
  }

  @Test func namesOfStatuses() throws {
    #expect(
      message { () throws(SDError) in _ = try FakeCUDA(["FAIL": "cuInit:1:3"]).driver() }
        == "cannot start CUDA: CUDA_ERROR_NOT_INITIALIZED (3)")
    #expect(
      message { () throws(SDError) in _ = try FakeCUDA(["FAIL": "cuInit:1:12345"]).driver() }
        == "cannot start CUDA: CUDA error (12345)")
  }

  @Test func ordinals() throws {
    let driver = try FakeCUDA(["DEVICES": "2"]).driver()
    #expect(try CUDAContext(ordinal: 1, driver: driver).name == "cuda:1")
    for ordinal in [-1, 2, .max] {
      #expect(throws: SDError.noSuchGPU(ordinal, count: 2)) { _ = try CUDAContext(ordinal: ordinal, driver: driver) }
    }
  }
}
