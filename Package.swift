// swift-tools-version: 6.2
import PackageDescription

let swift: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
  name: "swift-diffusion-graph",
  products: [
    .library(name: "DiffusionModels", targets: ["DiffusionModels"]),
    .library(name: "GraphIR", targets: ["GraphIR"]),
    .library(name: "GraphPasses", targets: ["GraphPasses"]),
    .library(name: "GraphRuntime", targets: ["GraphRuntime"]),
    .executable(name: "sd-compile", targets: ["sd-compile"]),
    .executable(name: "sd-run", targets: ["sd-run"]),
    .executable(name: "sd-bench", targets: ["sd-bench"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0")
  ],
  targets: [
    // The data flow, in order: checkpoint -> graph -> passes -> plan -> executor -> pipeline -> PNG.
    .target(name: "GraphIR", swiftSettings: swift),
    .target(name: "GraphPasses", dependencies: ["GraphIR"], path: "Sources/Passes", swiftSettings: swift),
    .target(
      name: "GraphRuntime", dependencies: ["GraphIR", "CKernels", "CCUDA", "CCrypto"], path: "Sources/Runtime",
      swiftSettings: swift),
    .target(
      name: "DiffusionModels", dependencies: ["GraphIR", "GraphPasses", "GraphRuntime", "CPNG"],
      path: "Sources/Models", swiftSettings: swift),

    // C: instruction sets are chosen per file with `#pragma clang attribute`, threads enter in parallel.c.
    .target(
      name: "CKernels", cSettings: [.unsafeFlags(["-fopenmp"])],
      linkerSettings: [.linkedLibrary("omp5", .when(platforms: [.linux])), .linkedLibrary("m")]),
    // Tables of NVIDIA's libraries, which are loaded at run time; nothing of CUDA is linked.
    .target(name: "CCUDA", exclude: ["kernels"], linkerSettings: [.linkedLibrary("dl", .when(platforms: [.linux]))]),
    .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
    .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),

    .target(
      name: "ToolSupport", dependencies: ["DiffusionModels", arguments], path: "Tools/Support",
      swiftSettings: swift),
    .executableTarget(
      name: "sd-compile", dependencies: ["DiffusionModels", "ToolSupport", arguments], path: "Tools/sd-compile",
      swiftSettings: swift),
    .executableTarget(
      name: "sd-run", dependencies: ["DiffusionModels", "ToolSupport", arguments], path: "Tools/sd-run",
      swiftSettings: swift),
    .executableTarget(
      name: "sd-bench", dependencies: ["DiffusionModels", "ToolSupport", arguments], path: "Tools/sd-bench",
      swiftSettings: swift),

    // The AMX kernels on tiles in memory; they include the sources of CKernels.
    .target(name: "EmulatedTiles", dependencies: ["CKernels"], path: "Tests/EmulatedTiles"),
    .target(
      name: "TestSupport",
      dependencies: ["GraphIR", "GraphRuntime", "DiffusionModels", "EmulatedTiles", "CCUDA"],
      path: "Tests/TestSupport", swiftSettings: swift),
    .testTarget(name: "GraphIRTests", dependencies: ["GraphIR", "TestSupport"], swiftSettings: swift),
    .testTarget(
      name: "GraphPassesTests", dependencies: ["GraphIR", "GraphPasses", "TestSupport"], swiftSettings: swift),
    .testTarget(
      name: "GraphRuntimeTests", dependencies: ["GraphIR", "GraphRuntime", "EmulatedTiles", "TestSupport"],
      swiftSettings: swift),
    .testTarget(
      name: "DiffusionModelsTests", dependencies: ["DiffusionModels", "TestSupport"],
      exclude: ["Fixtures"], swiftSettings: swift),
    .testTarget(
      name: "ToolsTests", dependencies: ["sd-compile", "sd-run", "sd-bench", "TestSupport", arguments],
      swiftSettings: swift),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .gnu2x
)
