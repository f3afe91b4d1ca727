// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("What the check before a boot compares with the machine", .timeLimit(.minutes(1)))
struct BootCheckMachineTests {
  private static let target = "netroot=iscsi:10.0.0.1::::iqn.2026-11.org.example:disk"
  private static let alias = "pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00"

  /// A machine with two cards below a folder, the first virtual and the second Intel's, and an image with these files.
  private func machine(
    _ files: KeyValuePairs<String, String> = [:], image: KeyValuePairs<String, String> = [:],
    permissions: FilePermissions = .ownerReadWrite
  ) throws -> SysfsTree {
    let tree = try SysfsTree()
    let all: KeyValuePairs = [
      "proc/sys/kernel/osrelease": "6.12", "proc/cmdline": Self.target,
      "lib/modules/6.12/modules.dep": "kernel/e1000e.ko: kernel/ptp.ko\nkernel/ptp.ko:\nkernel/xhci-pci.ko:",
      "lib/modules/6.12/modules.builtin": "kernel/virtio_net.ko",
      "lib/modules/6.12/modules.alias": "# Aliases\nalias pci:v00008086d000010D3sv*sd*bc*sc*i* e1000e\nalias fs-x x",
      "etc/iscsi/initiatorname.iscsi": "InitiatorName=iqn.2026-11.org.example:here",
      "sys/class/net/eth0/address": "52:54:00:00:00:01", "sys/class/net/eth0/type": "1",
      "sys/class/net/eth0/ifindex": "2", "sys/class/net/eth1/address": "52:54:00:00:00:02",
      "sys/class/net/eth1/type": "1", "sys/class/net/eth1/ifindex": "3", "sys/devices/pci/virtio0/x": "",
      "sys/devices/pci/card1/modalias": Self.alias,
    ]
    for (path, text) in Array(all) + Array(files) {
      try tree.makeDirectory(path.split(separator: "/").dropLast().joined(separator: "/"))
      try tree.set(path, to: .text(text))
    }
    try tree.link("sys/class/net/eth0", "device", to: "sys/devices/pci/virtio0")
    try tree.link("sys/devices/pci/virtio0", "driver", to: "sys/bus/virtio/drivers/virtio_net")
    try tree.link("sys/class/net/eth1", "device", to: "sys/devices/pci/card1")
    try tree.link("sys/devices/pci/card1", "driver", to: "sys/bus/pci/drivers/e1000e")
    try tree.makeDirectory("boot")
    try AtomicFile.write(
      testArchive(image), to: tree.root.appending("boot/initrd.img-6.12"), permissions: permissions)
    return tree
  }

  private func evidence(
    _ tree: borrowing SysfsTree, _ line: String? = nil, kernel: String? = nil, image: FilePath? = nil,
    way: String? = "eth0"
  ) -> BootEvidence {
    var sources = BootSources()
    (sources.root, sources.commandLine) = (tree.root, line)
    var collector = BootEvidenceCollector(sources)
    (collector.kernel, collector.image) = (kernel, image)
    return collector.evidence { _ in way }
  }

  private func findings(_ evidence: BootEvidence, _ rule: String) -> [String] {
    evidence.findings.filter { $0.rule == rule }.map { "\($0.verdict.rawValue) \($0.what)" }
  }

  private static let image: KeyValuePairs = [
    "scripts/local-top/iscsi-admin": "",
    "etc/iscsi/initiatorname.iscsi": "InitiatorName=iqn.2026-11.org.example:here\n",
  ]

  @Test("--image is below the root, be it given with that or without")
  func imageBelowRoot() throws {
    let tree = try machine(image: Self.image)
    let path = tree.root.appending("boot/initrd.img-6.12")
    for given in ["/boot/initrd.img-6.12", "boot/initrd.img-6.12", path] as [FilePath] {
      #expect(evidence(tree, image: given).image?.path == path)
    }
  }

  @Test("A root without any modules is told, with where they were looked for, and no kernel is made up")
  func noModules() throws {
    let tree = try SysfsTree()
    let evidence = evidence(tree)
    #expect(
      findings(evidence, "kernel-modules")
        == ["problem there are no modules of any kernel, so that nobody knows which one is to be booted"])
    #expect(
      evidence.findings.contains {
        $0.evidence == ["there is no modules.dep in any folder of \(tree.root)/lib/modules"]
      })
    #expect(findings(evidence, "newer-kernel") == [])
    #expect(
      findings(evidence, "image") == [
        "problem there is no initramfs image in /boot that could be looked for, as no kernel is known"
      ])
    #expect(!evidence.findings.contains { $0.what.contains("  ") || $0.what.hasSuffix(" ") })
    let named = self.evidence(tree, kernel: "6.12")
    #expect(findings(named, "kernel-modules") == ["problem there are no modules for kernel 6.12"])
    #expect(named.findings.contains { $0.evidence == ["\(tree.root)/lib/modules/6.12/modules.dep cannot be read"] })
  }
}
