package import GraphIR

/// The statuses of the driver that have a sentence of their own.
package enum CUDAStatus: Int32, CaseIterable {
  case outOfMemory = 2
  case stubLibrary = 34
  case deviceUnavailable = 46
  case noDevice = 100
  case invalidImage = 200
  case noBinaryForGPU = 209
  case unsupportedPTX = 222
  case illegalAddress = 700
  case illegalInstruction = 715
  case misalignedAddress = 716
  case launchFailed = 719
  case systemNotReady = 802
  case systemDriverMismatch = 803
  case compatibilityNotSupported = 804
}

/// Why a library of NVIDIA cannot be used.
package enum CUDALibraryState: Hashable, Sendable {
  /// Found nowhere.
  case missing
  /// There is a file, but it cannot be loaded; the dynamic linker says why.
  case unloadable(String)
  /// It does not have an entry.
  case symbolMissing(String)
}

extension SDError {
  /// What a status of the driver means for the reader.
  ///
  /// - Parameters:
  ///   - name: the driver's own name for it.
  ///   - action: what was being done, to follow "cannot".
  package static func cuda(_ status: Int32, name: String, cannot action: String) -> SDError {
    let (reason, hint) = explanation(status)
    return SDError(.device, "cannot \(action): \(reason ?? "\(name) (\(status))")", hint: hint)
  }

  private static func explanation(_ status: Int32) -> (reason: String?, hint: String?) {
    let lost = "; the GPU's context is lost"
    let defect = "Start the program again. A kernel or the GPU is defective: SD_DEBUG=4 says which kernels run."
    return switch CUDAStatus(rawValue: status) {
    case .outOfMemory: ("the GPU has too little memory", "Make smaller pictures, or end what else uses the GPU.")
    case .stubLibrary:
      (
        "the libcuda.so.1 that was found is a stub for linking, not a driver",
        "Take the toolkit's 'stubs' folder out of LD_LIBRARY_PATH, or set SD_CUDA_LIB_DIR to the driver's folder."
      )
    case .deviceUnavailable:
      ("the GPU is not available", "Another process may own it exclusively: nvidia-smi shows who, and the mode.")
    case .noDevice:
      (
        "the driver finds no GPU",
        "Check nvidia-smi and CUDA_VISIBLE_DEVICES; a container needs to be given its GPUs (docker run --gpus all)."
      )
    case .invalidImage, .noBinaryForGPU:
      (
        "the kernels were compiled for another GPU, or by an NVRTC newer than the driver",
        "Update the NVIDIA driver, or install the NVRTC of its release (pip install nvidia-cuda-nvrtc-cu12)."
      )
    case .unsupportedPTX:
      (
        "the kernels were compiled by an NVRTC newer than the driver",
        "Update the NVIDIA driver, or install an older NVRTC."
      )
    case .illegalAddress: ("a kernel accessed memory it must not (CUDA error 700)\(lost)", defect)
    case .illegalInstruction, .misalignedAddress, .launchFailed:
      ("a kernel failed (CUDA error \(status))\(lost)", defect)
    case .systemNotReady:
      (
        "the system of GPUs is not ready",
        "GPUs behind NVSwitch need the fabric manager: systemctl status nvidia-fabricmanager."
      )
    case .systemDriverMismatch:
      (
        "libcuda.so.1 and the kernel's NVIDIA module are of different versions",
        "Restart the machine after an update of the driver; in a container, use the libcuda.so.1 of the host."
      )
    case .compatibilityNotSupported:
      (
        "the libcuda.so.1 that was found is a compatibility package, which this GPU does not support",
        "Take the 'compat' folder out of LD_LIBRARY_PATH, and update the NVIDIA driver."
      )
    case nil: (nil, nil)
    }
  }

  /// libcuda.so.1 could not be loaded.
  package static func noCUDADriver(_ state: CUDALibraryState) -> SDError {
    let hint = "Install the NVIDIA driver, or set SD_CUDA_LIB_DIR to the folder of its libcuda.so.1."
    return switch state {
    case .symbolMissing(let entry):
      SDError(
        .device, "the NVIDIA driver has no '\(entry)': its libcuda.so.1 is too old or a stub",
        hint: "Update the NVIDIA driver to release 525 or newer.")
    case .unloadable(let reason): SDError(.device, "no NVIDIA driver: \(reason)", hint: hint)
    case .missing: SDError(.device, "no NVIDIA driver: libcuda.so.1 was not found", hint: hint)
    }
  }

  /// The driver is older than the entries that are used.
  package static func cudaDriverTooOld(_ version: Int, required: Int) -> SDError {
    SDError(
      .device, "the NVIDIA driver is for CUDA \(release(version)), CUDA \(release(required)) or newer is required",
      hint: "Update the NVIDIA driver to release 525 or newer.")
  }

  /// There is no such GPU.
  package static func noSuchGPU(_ ordinal: Int, count: Int) -> SDError {
    let offered =
      switch count {
      case 0: "there is no GPU"
      case 1: "there is one GPU, cuda:0"
      default: "there are \(count) GPUs, cuda:0 to cuda:\(count - 1)"
      }
    return SDError(.device, "cuda:\(ordinal) does not exist: \(offered)")
  }

  /// libnvrtc could not be loaded.
  package static func noNVRTC(_ state: CUDALibraryState) -> SDError {
    let hint =
      "Install it (pip install nvidia-cuda-nvrtc, for drivers before 580 nvidia-cuda-nvrtc-cu12, or a CUDA toolkit), or "
      + "set SD_CUDA_LIB_DIR to its folder."
    let reason =
      switch state {
      case .symbolMissing(let entry): "libnvrtc has no '\(entry)': it is too old or a stub"
      case .unloadable(let reason): reason
      case .missing: "libnvrtc.so.13 or .12 was not found"
      }
    return SDError(.device, "cannot compile CUDA kernels: \(reason)", hint: hint)
  }

  private static func release(_ version: Int) -> String { "\(version / 1000).\(version % 1000 / 10)" }
}
