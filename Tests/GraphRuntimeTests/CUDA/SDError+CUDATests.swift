import GraphIR
import GraphRuntime
import Testing

/// What a machine without CUDA, or with a broken one, is told.
struct CUDAErrorTests {
  private func expect(
    _ error: SDError, _ message: String, _ hint: String?, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(error == SDError(.device, message, hint: hint), sourceLocation: sourceLocation)
  }

  @Test func library() {
    let hint = "Install the NVIDIA driver, or set SD_CUDA_LIB_DIR to the folder of its libcuda.so.1."
    expect(.noCUDADriver(.missing), "no NVIDIA driver: libcuda.so.1 was not found", hint)
    expect(.noCUDADriver(.unloadable("x: file too short")), "no NVIDIA driver: x: file too short", hint)
    expect(
      .noCUDADriver(.symbolMissing("cuLaunchKernelEx")),
      "the NVIDIA driver has no 'cuLaunchKernelEx': its libcuda.so.1 is too old or a stub",
      "Update the NVIDIA driver to release 525 or newer.")
    expect(
      .cudaDriverTooOld(11080, required: 12000),
      "the NVIDIA driver is for CUDA 11.8, CUDA 12.0 or newer is required",
      "Update the NVIDIA driver to release 525 or newer.")
  }

  @Test func compiler() {
    let hint =
      "Install it (pip install nvidia-cuda-nvrtc, for drivers before 580 nvidia-cuda-nvrtc-cu12, or a CUDA toolkit), or "
      + "set SD_CUDA_LIB_DIR to its folder."
    let (missing, old) = (SDError.noNVRTC(.missing), SDError.noNVRTC(.symbolMissing("nvrtcGetCUBIN")))
    expect(missing, "cannot compile CUDA kernels: libnvrtc.so.13 or .12 was not found", hint)
    expect(old, "cannot compile CUDA kernels: libnvrtc has no 'nvrtcGetCUBIN': it is too old or a stub", hint)
    expect(.noNVRTC(.unloadable("x: bad")), "cannot compile CUDA kernels: x: bad", hint)
  }

  @Test func ordinals() {
    expect(.noSuchGPU(0, count: 0), "cuda:0 does not exist: there is no GPU", nil)
    expect(.noSuchGPU(3, count: 1), "cuda:3 does not exist: there is one GPU, cuda:0", nil)
    expect(.noSuchGPU(-1, count: 4), "cuda:-1 does not exist: there are 4 GPUs, cuda:0 to cuda:3", nil)
  }

  @Test(arguments: [
    (CUDAStatus.outOfMemory, "the GPU has too little memory"),
    (.stubLibrary, "the libcuda.so.1 that was found is a stub for linking, not a driver"),
    (.deviceUnavailable, "the GPU is not available"),
    (.noDevice, "the driver finds no GPU"),
    (.invalidImage, "the kernels were compiled for another GPU, or by an NVRTC newer than the driver"),
    (.noBinaryForGPU, "the kernels were compiled for another GPU, or by an NVRTC newer than the driver"),
    (.unsupportedPTX, "the kernels were compiled by an NVRTC newer than the driver"),
    (.illegalAddress, "a kernel accessed memory it must not (CUDA error 700); the GPU's context is lost"),
    (.illegalInstruction, "a kernel failed (CUDA error 715); the GPU's context is lost"),
    (.misalignedAddress, "a kernel failed (CUDA error 716); the GPU's context is lost"),
    (.launchFailed, "a kernel failed (CUDA error 719); the GPU's context is lost"),
    (.systemNotReady, "the system of GPUs is not ready"),
    (.systemDriverMismatch, "libcuda.so.1 and the kernel's NVIDIA module are of different versions"),
    (
      .compatibilityNotSupported,
      "the libcuda.so.1 that was found is a compatibility package, which this GPU does not support"
    ),
  ])
  func statuses(status: CUDAStatus, reason: String) {
    let error = SDError.cuda(status.rawValue, name: "CUDA_ERROR", cannot: "start CUDA")
    #expect(error.message == "cannot start CUDA: \(reason)")
    #expect(error.code == .device && error.hint?.hasSuffix(".") == true)
  }

  @Test func others() {
    expect(
      .cuda(1, name: "CUDA_ERROR_INVALID_VALUE", cannot: "launch the kernel 'x' on cuda:0"),
      "cannot launch the kernel 'x' on cuda:0: CUDA_ERROR_INVALID_VALUE (1)", nil)
  }
}
