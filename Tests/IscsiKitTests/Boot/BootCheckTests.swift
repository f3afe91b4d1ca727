// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("The check before a boot")
struct BootCheckTests {
  private static let names = [
    "iscsi_tcp", "libiscsi", "scsi_transport_iscsi", "sd_mod", "virtio_net", "ext4", "iscsi_ibft",
  ]

  /// A machine that can boot.
  private func good() throws -> BootEvidence {
    var evidence = BootEvidence(kernel: "6.12")
    evidence.modules = KernelModules(
      dependencies: Self.names.map { "kernel/\($0).ko:\n" }.joined(), builtIn: "kernel/crc32c.ko\n")
    var session = SessionSnapshot.example(1)
    session.replacementTimeout = 86_400
    session.connection?.noopInterval = 0
    for index in session.devices.indices { session.devices[index].timeout = 90 }
    evidence.session = session
    evidence.rootFileSystem = "ext4"
    evidence.networkDevices = ["eth0"]
    evidence.drivers = ["virtio_net"]
    evidence.daemonUnits = ["/etc/systemd/system/sysinit.target.wants/iscsi-admin.service"]
    var files = Set(Self.names.map { "usr/lib/modules/6.12/kernel/\($0).ko.zst" })
    files.formUnion([
      "usr/lib/modules/6.12/modules.dep", "usr/sbin/iscsi-admin", "usr/bin/udhcpc", "scripts/functions",
      "scripts/local-top/iscsi-admin",
    ])
    evidence.image = InitramfsImage(path: "/boot/initrd.img-6.12", names: files)
    let name = try InitiatorName(try #require(session.initiatorName))
    var input = BootPlan.Input(
      parameters: BootParameters(KernelCommandLine("netroot=iscsi:10.0.0.1::::\(session.targetName ?? "")")))
    input.machineName = name
    evidence.plan = BootPlan(input)
    evidence.machineName = name
    return evidence
  }

  private func verdicts(_ evidence: BootEvidence) -> [String] {
    evidence.findings.filter { $0.verdict != .ok }.map { "\($0.verdict.rawValue) \($0.rule)" }
  }

  @Test("A machine that can boot has nothing but good news, of each rule")
  func well() throws {
    let evidence = try good()
    #expect(verdicts(evidence) == [])
    #expect(evidence.findings.map(\.rule) == BootRule.all.map(\.name))
  }

  private static let changes: [(String, @Sendable (inout BootEvidence) throws -> Void, [String])] = [
    ("no modules", { $0.modules = nil }, ["problem kernel-modules"]),
    (
      "a kernel without the initiator",
      {
        $0.modules = KernelModules(
          dependencies: "kernel/sd_mod.ko:\nkernel/ext4.ko:\nkernel/virtio_net.ko:\n", builtIn: "")
      },
      ["problem kernel-modules"]
    ),
    (
      "an image without the card's driver",
      { $0.image?.names.remove("usr/lib/modules/6.12/kernel/virtio_net.ko.zst") }, ["problem image-modules"]
    ),
    (
      "an image without what firmware needs, which is not used",
      { $0.image?.names.remove("usr/lib/modules/6.12/kernel/iscsi_ibft.ko.zst") }, ["warning image-modules"]
    ),
    ("no program", { $0.image?.names.remove("usr/sbin/iscsi-admin") }, ["problem image-program"]),
    ("a program that cannot be run", { $0.image?.faults["usr/sbin/iscsi-admin"] = .empty }, ["problem image-program"]),
    ("an image that is cut off", { ($0.image, $0.imageFailure) = (nil, .cutOff("/boot/i")) }, ["problem image"]),
    ("no hook", { $0.image?.names.remove("scripts/local-top/iscsi-admin") }, ["problem image-hook"]),
    ("no image", { ($0.image, $0.imageFailure) = (nil, .notFound(kernel: "6.12")) }, ["problem image"]),
    (
      "an image that cannot be read", { ($0.image, $0.imageFailure) = (nil, .noProgram("/boot/i", "zstd")) },
      ["warning image"]
    ),
    (
      "another name", { $0.session?.initiatorName = "iqn.2026-11.org.example:other" }, ["problem initiator-name"]
    ),
    ("another target", { $0.session?.targetName = "iqn.2026-11.org.example:other" }, ["problem parameters"]),
    ("nothing asked for", { $0.plan = BootPlan(BootPlan.Input(parameters: BootParameters())) }, ["problem parameters"]),
    ("short timeouts", { $0.session?.replacementTimeout = 120 }, ["warning timers"]),
    ("a device's timeout", { $0.session?.devices[0].timeout = 30 }, ["warning timers"]),
    ("a bus that is part of the kernel", { $0.busDrivers = ["pcieportdrv"] }, []),
    (
      "a bus's module",
      {
        $0.busDrivers = ["sd_mod"]
        $0.image?.names.remove("usr/lib/modules/6.12/kernel/sd_mod.ko.zst")
      }, ["problem image-modules"]
    ),
    (
      "a VLAN without its module", { $0.plan?.links[0].vlan = BootVLAN(number: 5) },
      ["problem kernel-modules"]
    ),
    ("no DHCP client, where one may be needed", { $0.image?.names.remove("usr/bin/udhcpc") }, ["warning image-dhcp"]),
    (
      "no DHCP client",
      {
        $0.image?.names.remove("usr/bin/udhcpc")
        $0.plan?.links[0].isFallback = false
      }, ["problem image-dhcp"]
    ),
    (
      "nobody to log in as",
      {
        $0.plan = BootPlan(
          BootPlan.Input(
            parameters: BootParameters(KernelCommandLine("netroot=iscsi:10.0.0.1::::iqn.2026-11.org.example:disk"))))
      }, ["problem initiator-name", "problem parameters"]
    ),
    ("networkd", { $0.managers = [.networkd(keeps: false)] }, ["warning shutdown"]),
    ("ifupdown", { $0.managers = [.networkManager, .ifupdown(switchesOff: true)] }, ["problem shutdown"]),
    ("a client", { $0.managers = [.client("dhcpcd")] }, ["warning shutdown"]),
    ("a newer kernel", { $0.newerKernels = ["6.12.5", "6.13"] }, ["warning newer-kernel"]),
    ("no daemon", { $0.daemonUnits = [] }, ["warning daemon"]),
    ("no systemd", { $0.daemonUnits = nil }, []),
    ("two hooks", { $0.image?.names.insert("scripts/local-top/iscsi") }, ["warning image-hook"]),
    (
      "our module of dracut, which has a program by the name of dracut's own",
      {
        $0.image?.names.subtract(["scripts/functions", "scripts/local-top/iscsi-admin"])
        $0.image?.names.formUnion([
          "usr/lib/dracut/hooks/initqueue/settled/20-connect-iscsi-admin.sh", "usr/sbin/iscsiroot",
        ])
      }, []
    ),
    (
      "dracut with systemd and no loop for hooks",
      {
        $0.image?.names.subtract(["scripts/functions", "scripts/local-top/iscsi-admin"])
        $0.image?.names.formUnion([
          "usr/lib/dracut/hooks/initqueue/settled/20-connect-iscsi-admin.sh", "usr/lib/systemd/systemd",
        ])
      }, ["problem image-hook"]
    ),
    (
      "dracut with systemd and its loop",
      {
        $0.image?.names.subtract(["scripts/functions", "scripts/local-top/iscsi-admin"])
        $0.image?.names.formUnion([
          "usr/lib/dracut/hooks/initqueue/settled/20-connect-iscsi-admin.sh", "usr/lib/systemd/systemd",
          "usr/lib/systemd/system/dracut-initqueue.service",
        ])
      }, []
    ),
    (
      "mkinitcpio with systemd, where no script runs",
      {
        $0.image?.names.subtract(["scripts/functions", "scripts/local-top/iscsi-admin"])
        $0.image?.names.formUnion(["buildconfig", "usr/lib/systemd/systemd", "hooks/iscsi-admin", "hooks/iscsi"])
      }, ["problem image-hook"]
    ),
    (
      "mkinitcpio with a unit that nobody wants",
      {
        $0.image?.names.subtract(["scripts/functions", "scripts/local-top/iscsi-admin"])
        $0.image?.names.formUnion([
          "buildconfig", "usr/lib/systemd/systemd", "usr/lib/systemd/system/iscsi-admin-boot.service",
        ])
      }, ["problem image-hook"]
    ),
    (
      "mkinitcpio with systemd and the unit",
      {
        $0.image?.names.subtract(["scripts/functions", "scripts/local-top/iscsi-admin"])
        $0.image?.names.formUnion([
          "buildconfig", "usr/lib/systemd/systemd", "usr/lib/systemd/system/iscsi-admin-boot.service",
          "usr/lib/systemd/system/initrd-root-device.target.wants/iscsi-admin-boot.service",
        ])
      }, []
    ),
    ("a file system that ext4 drives", { $0.rootFileSystem = "ext3" }, []),
    (
      "a logical volume without its driver",
      {
        $0.modules = KernelModules(
          dependencies: (Self.names + ["dm_mod"]).map { "kernel/\($0).ko:\n" }.joined(), builtIn: "kernel/crc32c.ko\n")
        $0.layerModules = ["dm_mod"]
      }, ["problem image-modules"]
    ),
    ("a layer that the kernel has in itself", { $0.layerModules = ["dm_mod"] }, []),
    ("no way to the target", { ($0.networkDevices, $0.drivers) = ([], []) }, ["warning network-card"]),
    ("a root elsewhere", { $0.session = nil }, ["warning root-session"]),
  ]

  @Test("Each thing that a boot lacks is told by its rule alone", arguments: changes.indices)
  func lacks(index: Int) throws {
    let (name, change, wanted) = Self.changes[index]
    var evidence = try good()
    try change(&evidence)
    #expect(verdicts(evidence) == wanted, "\(name)")
  }

  @Test("The hook of another package, with its values in itself, needs no parameters")
  func otherHook() throws {
    var evidence = try good()
    evidence.image?.names.remove("scripts/local-top/iscsi-admin")
    evidence.image?.names.insert("hooks/iscsi")
    evidence.plan = BootPlan(BootPlan.Input(parameters: BootParameters()))
    #expect(verdicts(evidence) == [])
  }

  @Test("A remedy names the command of the generator that has made the image")
  func remedies() throws {
    var evidence = try good()
    evidence.image?.names.remove("scripts/local-top/iscsi-admin")
    let finding = try #require(evidence.findings.first { $0.rule == "image-hook" })
    #expect(
      finding.remedy
        == .advice("install the hook: make install-initramfs KIND=initramfs-tools, then: update-initramfs -u"))
    evidence.image?.names.remove("scripts/functions")
    #expect(
      evidence.findings.first { $0.rule == "image-hook" }?.remedy
        == .advice(
          "install the hook: make install-initramfs KIND=mkinitcpio, or KIND=dracut, or KIND=initramfs-tools, then make the "
            + "image anew"))
  }

  /// Files of a machine below a folder of their own.
  private func machine(_ files: KeyValuePairs<String, String>) throws -> SysfsTree {
    let tree = try SysfsTree()
    for (path, text) in files {
      try tree.makeDirectory(path.split(separator: "/").dropLast().joined(separator: "/"))
      try tree.set(path, to: .text(text))
    }
    return tree
  }

  @Test("Evidence is what is below the root: modules, the image of the kernel, and what a boot with it would do")
  func collected() throws {
    let tree = try machine([
      "proc/sys/kernel/osrelease": "6.12", "proc/cmdline": "quiet iscsi_target_port=3261",
      "lib/modules/6.12/modules.dep": "kernel/iscsi_tcp.ko:", "boot/initrd.img-6.12": "",
      "etc/iscsi/initiatorname.iscsi": "InitiatorName=iqn.2026-11.org.example:here",
    ])
    let image = testArchive([
      "etc/iscsi.initramfs": "ISCSI_TARGET_NAME=iqn.2026-11.org.example:disk\nISCSI_TARGET_IP=10.0.0.1\n",
      "etc/initiatorname.iscsi": "InitiatorName=iqn.2026-11.org.example:image\n",
    ])
    try AtomicFile.write(image, to: tree.root.appending("boot/initrd.img-6.12"))
    var sources = BootSources()
    sources.root = tree.root
    let evidence = BootEvidenceCollector(sources).evidence { _ in nil }
    #expect(evidence.kernel == "6.12" && evidence.modules?.place(of: "iscsi_tcp") == .file)
    #expect(evidence.plan?.logins.map(\.record.portal.description) == ["10.0.0.1:3261,1"])
    #expect(
      evidence.newerKernels == [] && evidence.daemonUnits == nil && verdicts(evidence).contains("warning network-card"))
    #expect(evidence.plan?.logins.first?.record.interface.initiatorName == "iqn.2026-11.org.example:image")
    #expect(verdicts(evidence).contains("problem initiator-name"))
    var other = BootEvidenceCollector(sources)
    other.kernel = "6.1"
    #expect(other.evidence { _ in nil }.imageFailure == .notFound(kernel: "6.1"))
    for kernel in ["6.9", "6.12.3"] {
      try tree.makeDirectory("lib/modules/\(kernel)")
      try tree.set("lib/modules/\(kernel)/modules.dep", to: .text(""))
    }
    #expect(BootEvidenceCollector(sources).evidence { _ in nil }.newerKernels == ["6.12.3"])
    other.kernel = "6.12"
    let found = other.evidence { _ in nil }.findings.first { $0.rule == "newer-kernel" }
    #expect(found?.verdict == .ok && found?.evidence == ["6.12.3"])
    #expect(found?.what.hasPrefix("a kernel newer than 6.12 is installed") == true)
    tree.remove("proc/sys/kernel/osrelease")
    #expect(BootEvidenceCollector(sources).evidence { _ in nil }.kernel == "6.12.3")
    other.kernel = "../6.12"
    #expect(other.evidence { _ in nil }.modules == nil)
  }

  @Test("What the root file system is on besides the disk is known by its layers")
  func layers() throws {
    let tree = try machine([
      "proc/self/mountinfo": "36 1 254:1 / / rw - ext3 /dev/dm-1 rw\n", "proc/self/mounts": "/dev/dm-1 / ext3 rw 0 0",
      "proc/swaps": "Filename", "sys/class/block/dm-0/dev": "254:0", "sys/class/block/dm-0/dm/uuid": "CRYPT-LUKS2-x",
      "sys/class/block/dm-0/holders/dm-1/x": "", "sys/class/block/dm-1/dev": "254:1",
      "sys/class/block/dm-1/dm/uuid": "LVM-x",
    ])
    var session = SessionSnapshot.example(1)
    session.devices = Array(session.devices.prefix(1))
    let block = try #require(session.devices.first?.blockDevice)
    try tree.makeDirectory("sys/class/block/\(block)/holders/dm-0")
    try tree.set("sys/class/block/\(block)/dev", to: .text("8:0"))
    var sources = BootSources()
    sources.root = tree.root
    var evidence = BootEvidence(kernel: "6.12")
    BootEvidenceCollector(sources).lookAtRoot(&evidence, sessions: [session])
    #expect(evidence.rootFileSystem == "ext3" && evidence.layerModules == ["dm_crypt", "dm_mod"])
  }

  @Test("A kernel with its image in itself is no machine without an image")
  func unified() throws {
    let tree = try machine([
      "proc/sys/kernel/osrelease": "6.12", "proc/cmdline": "quiet", "lib/modules/6.12/modules.dep": "",
      "boot/efi/EFI/Linux/a.efi": "MZ", "boot/efi/EFI/Linux/id-6.12.efi": "MZ",
      "boot/x": "",
    ])
    var sources = BootSources()
    sources.root = tree.root
    let evidence = BootEvidenceCollector(sources).evidence { _ in nil }
    let path = tree.root.appending("boot/efi/EFI/Linux/id-6.12.efi")
    #expect(evidence.imageFailure == .enclosed(path, "a unified kernel image"))
    #expect(verdicts(evidence).contains("warning image"))
    // A kernel beside which no image stands is none.
    #expect(
      !InitramfsImage.candidates(kernel: "6.12", package: nil, machine: "id").contains { $0.string.hasSuffix("/linux") }
    )
  }

  @Test("Without a session the card towards the target of the image is looked at; and whether a daemon will start")
  func beforeTheFirstBoot() throws {
    let tree = try machine([
      "proc/sys/kernel/osrelease": "6.12", "lib/modules/6.12/modules.dep": "kernel/e1000e.ko:",
      "etc/systemd/system/sysinit.target.wants/x": "", "sys/class/net/eth0/ifindex": "2", "sys/devices/pci/x": "",
    ])
    try tree.link("sys/class/net/eth0", "device", to: "sys/devices/pci")
    try tree.link("sys/devices/pci", "driver", to: "sys/bus/pci/drivers/e1000e")
    try tree.link("sys/bus/pci/drivers/e1000e", "module", to: "sys/module/e1000e")
    let image = testArchive([
      "etc/cmdline.d/a.conf": "netroot=iscsi:10.0.0.1::::iqn.2026-11.org.example:disk\n",
      "etc/iscsi/initiatorname.iscsi": "InitiatorName=iqn.2026-11.org.example:image\n",
    ])
    try tree.makeDirectory("boot")
    try AtomicFile.write(image, to: tree.root.appending("boot/initrd.img-6.12"))
    var sources = BootSources()
    sources.root = tree.root
    let evidence = BootEvidenceCollector(sources).evidence { $0.description == "10.0.0.1" ? "eth0" : nil }
    #expect(evidence.session == nil && evidence.networkDevices == ["eth0"] && evidence.drivers == ["e1000e"])
    #expect(evidence.daemonUnits == [])
    #expect(
      evidence.findings.contains { $0.rule == "image-modules" && $0.evidence.contains("e1000e (the network card)") })
    try tree.makeDirectory("etc/systemd/system/sysinit.target.wants")
    try tree.set("etc/systemd/system/sysinit.target.wants/iscsid.service", to: .text(""))
    #expect(
      BootEvidenceCollector(sources).evidence { _ in nil }.daemonUnits
        == ["/etc/systemd/system/sysinit.target.wants/iscsid.service"])
  }

  @Test(
    "Versions are compared by their numbers",
    arguments: [
      ("6.9.1", "6.12.3"), ("6.12", "6.12.3"), ("6.12.3-1", "6.12.3-10"), ("6.1.0-9", "6.1.0-10"), ("5", "6.1"),
    ])
  func versions(_ old: String, _ new: String) {
    #expect(old.isOlder(than: new) && !new.isOlder(than: old) && !old.isOlder(than: old))
  }

  @Test(
    "The drivers of a device are those of the card, of its buses and of what is below it; and who manages it is found")
  func device() throws {
    let tree = try machine([
      "sys/class/net/bond0/ifindex": "7", "sys/class/net/bond0/lower_eth0/x": "", "sys/class/net/eth0/ifindex": "2",
      "sys/devices/pci/virtio0/x": "",
      "run/systemd/netif/links/7": "ADMIN_STATE=configured\nNETWORK_FILE=/etc/a.network\n",
      "etc/a.network": "[Network]\nKeepConfiguration = yes\n", "run/NetworkManager/devices/7": "",
      "etc/network/interfaces": "auto lo bond0\niface bond0 inet static\n", "run/network/ifstate": "",
      "proc/12/comm": "dhclient", "proc/12/cmdline": "dhclient\0bond0\0", "proc/13/comm": "dhclient",
      "proc/13/cmdline": "x\0eth7",
    ])
    try tree.link("sys/class/net/eth0", "device", to: "sys/devices/pci/virtio0")
    try tree.link("sys/devices/pci/virtio0", "driver", to: "sys/bus/virtio/drivers/virtio_net")
    try tree.link("sys/bus/virtio/drivers/virtio_net", "module", to: "sys/module/virtio_net")
    try tree.link("sys/devices/pci", "driver", to: "sys/bus/pci/drivers/virtio-pci")
    try tree.link("sys/bus/pci/drivers/virtio-pci", "module", to: "sys/module/virtio_pci")
    var sources = BootSources()
    sources.root = tree.root
    var evidence = BootEvidence(kernel: "6.12")
    BootEvidenceCollector(sources).lookAtWay("bond0", &evidence)
    BootEvidenceCollector(sources).lookAtDrivers(of: "bond0", &evidence)
    #expect(
      evidence.networkDevices == ["bond0", "eth0"] && evidence.drivers == ["virtio_net"]
        && evidence.busDrivers == ["virtio_pci"])
    #expect(
      evidence.managers == [.networkd(keeps: true), .networkManager, .ifupdown(switchesOff: true), .client("dhclient")])
  }
}
