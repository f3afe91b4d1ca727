// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

let package = Package(
  name: "iscsi-admin",
  products: [
    .library(name: "IscsiKit", targets: ["IscsiKit"]),
    .library(name: "IscsiKitTesting", targets: ["IscsiKitTesting"]),
    .executable(name: "iscsi-admin", targets: ["iscsi-admin"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
  ],
  targets: [
    .systemLibrary(name: "CISCSI", pkgConfig: "libiscsi", providers: [.apt(["libiscsi-dev"])]),
    .systemLibrary(
      name: "CNetlink", pkgConfig: "libnl-genl-3.0", providers: [.apt(["libnl-3-dev", "libnl-genl-3-dev"])]),
    .systemLibrary(name: "CJansson", pkgConfig: "jansson", providers: [.apt(["libjansson-dev"])]),
    .systemLibrary(name: "CLinux"),
    .systemLibrary(name: "CNettle", pkgConfig: "nettle", providers: [.apt(["nettle-dev"])]),
    .target(
      name: "IscsiKit",
      dependencies: [
        "CISCSI", "CJansson", "CLinux", "CNetlink", "CNettle", .product(name: "Logging", package: "swift-log"),
        .product(name: "SystemPackage", package: "swift-system"),
      ]),
    .executableTarget(
      name: "iscsi-admin",
      dependencies: [
        "IscsiKit", .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"), .product(name: "SystemPackage", package: "swift-system"),
      ]),
    .executableTarget(name: "Tour", dependencies: ["IscsiKit"], path: "Examples/Tour"),
    .executableTarget(
      name: "Outage", dependencies: ["IscsiKit", .product(name: "SystemPackage", package: "swift-system")],
      path: "Examples/Outage"),
    .target(
      name: "IscsiKitTesting",
      dependencies: ["IscsiKit", .product(name: "SystemPackage", package: "swift-system")],
      path: "Tests/IscsiKitTesting"),
    .testTarget(
      name: "IscsiKitTests",
      dependencies: [
        "IscsiKit", "IscsiKitTesting", .product(name: "Logging", package: "swift-log"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      exclude: ["Service/Interface-baseline.varlink"]),
    .testTarget(
      name: "IscsiAdminTests",
      dependencies: [
        "iscsi-admin", "IscsiKit", "IscsiKitTesting",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      exclude: ["Captured", "Golden"]),
  ],
  swiftLanguageModes: [.v6]
)

// One set of rules for every target of ours, tests included.
for target in package.targets where target.type != .system {
  target.swiftSettings =
    (target.swiftSettings ?? []) + [
      .treatAllWarnings(as: .error),
      .strictMemorySafety(),
      .enableUpcomingFeature("ExistentialAny"),
      .enableUpcomingFeature("InternalImportsByDefault"),
      .enableUpcomingFeature("MemberImportVisibility"),
      .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    ]
}
