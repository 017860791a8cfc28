import GraphIR
import GraphRuntime
import Testing

extension Trait where Self == ConditionTrait {
  /// Skips tests of NVIDIA's compiler where there is none; not where a folder is named for it, as `make test` does.
  static var nvrtc: Self {
    .enabled(if: Debug.cudaFolder != nil || (try? NVRTC.version()) != nil, "libnvrtc was not found")
  }
}

/// NVIDIA's compiler.
@Suite(.nvrtc) struct NVRTCTests {
  private let text = """
    #include "scale.h"
    extern "C" __global__ void scale(Parameters p) {
      int i = blockIdx.x * blockDim.x + threadIdx.x;
      if (i < p.count) p.x[i] = 2.0f * helper(p.x[i]);
    }

    """
  private let header = "struct Parameters { float *x; int count; };\ninline float helper(float x) { return x + 1; }\n"

  private func source(_ text: String, architecture: String = "sm_90a") -> CUDASource {
    CUDASource(
      name: "scale.cu", text: text, headers: [("scale.h", header)], architecture: architecture)
  }

  @Test(arguments: ["sm_80", "sm_86", "sm_89", "sm_90", "sm_90a"])
  func compiles(architecture: String) throws {
    let source = source(text, architecture: architecture)
    let cubin = try NVRTC.compile(source)
    #expect(CubinCache.isWhole(cubin))
    #expect(!CubinCache.isWhole(Array(cubin.dropLast(cubin.count / 2))))
    // Plans and caches count on it.
    #expect(try NVRTC.compile(source) == cubin)
    let name = Array("scale".utf8)
    #expect(cubin.indices.contains { cubin[$0...].starts(with: name) })
  }

  @Test func mistakes() throws {
    let error = try #require(throws: SDError.self) { _ = try NVRTC.compile(source("int x = y;\n" + text)) }
    #expect(error.code == .device)
    let version = try NVRTC.version()
    #expect(
      error.message.hasPrefix(
        "cannot compile 'scale.cu' for sm_90a: libnvrtc \(version) says NVRTC_ERROR_COMPILATION:\nscale.cu(1): error: "),
      "\(error.message)")
  }

  @Test func unknownArchitecture() throws {
    let error = try #require(throws: SDError.self) { _ = try NVRTC.compile(source(text, architecture: "sm_12345")) }
    #expect(error.message.hasPrefix("cannot compile 'scale.cu' for sm_12345: libnvrtc "), "\(error.message)")
    #expect(error.message.contains("NVRTC_ERROR_INVALID_OPTION"))
  }

  @Test func manyMistakes() throws {
    let text = (0..<200).map { "int a\($0) = unknown\($0);\n" }.joined()
    let error = try #require(throws: SDError.self) { _ = try NVRTC.compile(source(text)) }
    #expect(error.message.count < 2_100)
  }
}

/// What is shown of a log.
struct NVRTCLogTests {
  @Test func beginning() {
    #expect(NVRTC.beginning(of: "") == "")
    #expect(NVRTC.beginning(of: "\na\nb\n\n") == "a\nb")
    let lines = NVRTC.beginning(of: (0..<1000).map { "line \($0)\n" }.joined())
    #expect(lines.count <= 2_000 && lines.count > 1_980)
    #expect(lines.contains(#/line \d+\n\.\.\.$/#))
    #expect(NVRTC.beginning(of: String(repeating: "x", count: 5_000)).count == 2_000)
  }
}
