// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

/// The script for initramfs-tools by itself, in a made-up root.
@Suite("The script of initramfs-tools")
struct InitramfsToolsHookTests {
  /// Runs the script with a login that ends so, and tells these ends of the disk's names; returns what the parameters are then.
  private func run(root: String, login status: Int, told: [String]?, disks: [String]) throws -> String {
    let folder = FilePath("/tmp/iscsikit-initramfs-\(UInt64.random(in: 0...UInt64.max))")
    try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: folder.string) }
    let lines = told.map { $0.map { "\($0)\\n" }.joined() }
    let script = try TemporaryFile(
      """
      mkdir -p "$PREFIX/conf" "$PREFIX/run" "$PREFIX/dev/disk/by-path" "$PREFIX/bin" "$PREFIX/scripts"
      echo 'log_failure_msg() { :; }; wait_for_udev() { :; }' >"$PREFIX/scripts/functions"
      for disk in \(disks.joined(separator: " ")); do : >"$PREFIX/dev/disk/by-path/$disk"; done
      cat >"$PREFIX/bin/iscsi-admin" <<'END'
      #!/bin/sh
      \(lines.map { "printf '\($0)' >\"$PREFIX/run/iscsi-admin-disk\"" } ?? ":")
      exit \(status)
      END
      chmod +x "$PREFIX/bin/iscsi-admin"
      sed "s|/scripts/functions|$PREFIX&|; s|/run/|$PREFIX&|g; s|/conf/|$PREFIX&|g; s|/dev/disk|$PREFIX&|g" "$SCRIPT" >"$PREFIX/script"
      : >"$PREFIX/conf/param.conf"
      PATH=$PREFIX/bin:$PATH sh "$PREFIX/script"
      """)
    let status = try TestProcess.run(
      ["/bin/sh", script.path.string],
      adding: [
        "PREFIX=\(folder)", "SCRIPT=\(Golden.root)/initramfs/initramfs-tools/scripts/local-top/iscsi-admin",
        "ROOT=\(root)",
      ])
    #expect(status == 0)
    return try Golden.contents(folder.string + "/conf/param.conf").replacing(folder.string, with: "")
  }

  private static let disk = "ip-10.0.0.1:3260-iscsi-iqn.2026-11.org.example:a-lun-1"
  private static let suffix = "iscsi-iqn.2026-11.org.example:a-lun-1"

  @Test("root=iscsi:... becomes the disk, also if another target is missed", arguments: [0, 8])
  func translates(_ status: Int) throws {
    let found = try run(root: "iscsi:10.0.0.1", login: status, told: [Self.suffix], disks: [Self.disk])
    #expect(found == "ROOT=\"/dev/disk/by-path/\(Self.disk)\"\n")
  }

  @Test("Without the disk, or where root= names a device, nothing is changed")
  func leaves() throws {
    #expect(try run(root: "iscsi:10.0.0.1", login: 8, told: [Self.suffix], disks: []) == "")
    #expect(try run(root: "iscsi:10.0.0.1", login: 8, told: nil, disks: [Self.disk]) == "")
    #expect(try run(root: "LABEL=root", login: 0, told: [Self.suffix], disks: [Self.disk]) == "")
  }
}
