package import GraphIR

/// Cuts that were measured on a GPU.
package struct CUDATuning: Sendable, Equatable {
  /// The GPU's family.
  package var architecture: CUDAArchitecture
  /// `NVIDIA H100 80GB HBM3`, for people.
  package var deviceName: String
  /// Streaming multiprocessors.
  package var multiprocessors: Int
  /// By call; the calls that are not here are cut as predicted.
  package var cuts: [String: ConvCut]

  /// Whether a GPU has the kernels that were measured, and as many multiprocessors to share blocks between.
  package func fits(_ gpu: GPU) -> Bool {
    (gpu.architecture, gpu.multiprocessors) == (architecture, multiprocessors)
  }
}

extension CUDATuning {
  /// As it is stored.
  package var json: JSON {
    var members = JSON.Object()
    for (call, cut) in cuts { members[call] = [JSON(cut.tile.rows), JSON(cut.tile.columns), JSON(cut.splits)] }
    return [
      "cuda": .string(architecture.name), "gpu": .string(deviceName), "multiprocessors": JSON(multiprocessors),
      "cuts": .object(members),
    ]
  }

  /// Reads what `json` stored. Tiles that there are no more are left out.
  ///
  /// - Throws: `SDError` (invalid) that names the member.
  package init(_ config: JSON.Config) throws(SDError) {
    let name = try config.string("cuda")
    guard let architecture = CUDAArchitecture(name: name) else {
      throw SDError(.invalid, "\(config.file): \"cuda\" is \(JSON.quoted(name)), which this version does not know")
    }
    self.architecture = architecture
    deviceName = try config.string("gpu")
    multiprocessors = try config.int("multiprocessors")
    cuts = try config.numbers("cuts", count: 3).compactMapValues { numbers in
      let tile = ConvTile.all.first { ($0.rows, $0.columns) == (numbers[0], numbers[1]) }
      return tile.map { ConvCut(tile: $0, splits: numbers[2]) }
    }
  }
}
