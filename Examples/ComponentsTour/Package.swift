// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "ComponentsTour",
  dependencies: [.package(name: "swift-diffusion-graph", path: "../..")],
  targets: [
    .executableTarget(
      name: "ComponentsTour",
      dependencies: [
        .product(name: "DiffusionModels", package: "swift-diffusion-graph"),
        .product(name: "GraphIR", package: "swift-diffusion-graph"),
      ])
  ],
  swiftLanguageModes: [.v6]
)
