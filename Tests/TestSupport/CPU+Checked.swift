import EmulatedTiles
package import GraphRuntime

extension CPU {
  /// What kernels are checked on: all levels of this processor, and the AMX kernels on emulated tiles where it has none.
  package static var checked: [CPU] {
    guard best.multipliesBF16, best.level < .amx else { return all }
    return all + [CPU(.amx, table: emulated_tile_kernels())]
  }
}
