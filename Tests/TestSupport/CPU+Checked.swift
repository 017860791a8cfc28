import EmulatedTiles
package import GraphRuntime

extension CPU {
  /// The AMX kernels on emulated tiles, which are lost now and then. Needs AVX512-BF16.
  package static let emulatingTiles = CPU(.amx, table: emulated_tile_kernels())

  /// What kernels are checked on: all levels of this processor, and emulated tiles where it can emulate them.
  package static var checked: [CPU] { best.multipliesBF16 ? all + [emulatingTiles] : all }
}
