// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "NewOp",
  dependencies: [.package(name: "swift-diffusion-graph", path: "../..")],
  targets: [
    .executableTarget(
      name: "NewOp",
      dependencies: [
        .product(name: "DiffusionModels", package: "swift-diffusion-graph"),
        .product(name: "GraphIR", package: "swift-diffusion-graph"),
        .product(name: "GraphPasses", package: "swift-diffusion-graph"),
        .product(name: "GraphRuntime", package: "swift-diffusion-graph"),
      ])
  ],
  swiftLanguageModes: [.v6]
)
