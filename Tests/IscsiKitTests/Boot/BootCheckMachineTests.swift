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
    way: String? = "eth0", here: FilePath = "/"
  ) -> BootEvidence {
    var sources = BootSources()
    (sources.root, sources.commandLine) = (tree.root, line)
    var collector = BootEvidenceCollector(sources)
    (collector.kernel, collector.image, collector.machineRoot) = (kernel, image, here)
    return collector.evidence { _ in way }
  }

  private func findings(_ evidence: BootEvidence, _ rule: String) -> [String] {
    evidence.findings.filter { $0.rule == rule }.map { "\($0.verdict.rawValue) \($0.what)" }
  }

  private static let image: KeyValuePairs = [
    "scripts/local-top/iscsi-admin": "",
    "etc/iscsi/initiatorname.iscsi": "InitiatorName=iqn.2026-11.org.example:here\n",
  ]

  @Test("A card that ip= names and the machine has not is a problem; the cards that it has are told")
  func missingCard() throws {
    let tree = try machine(image: Self.image)
    let evidence = evidence(tree, Self.target + " ip=10.0.0.2::10.0.0.1:255.255.255.0::eth7:none")
    #expect(findings(evidence, "network") == ["problem there is no network card eth7 in this machine"])
    let finding = try #require(evidence.findings.first { $0.rule == "network" })
    #expect(
      finding.evidence == [
        "asked for by ip= in --command-line",
        "the cards of the machine: eth0 (52:54:00:00:00:01), eth1 (52:54:00:00:00:02)",
      ])
    // By its own names the kernel may have that one, where udev gives no others at a boot.
    var renamed = evidence
    renamed.machineCards = ["enp1s0 (52:54:00:00:00:01)"]
    #expect(findings(renamed, "network") == ["warning there is no network card eth7 in this machine"])
    renamed.image?.names.insert("usr/lib/systemd/systemd-udevd")
    #expect(findings(renamed, "network") == ["problem there is no network card eth7 in this machine"])
    #expect(renamed.findings.contains { $0.evidence.contains("the cards of the machine: enp1s0 (52:54:00:00:00:01)") })
    renamed.keepsKernelNames = true
    #expect(findings(renamed, "network") == ["warning there is no network card eth7 in this machine"])
    #expect(self.evidence(tree, Self.target + " net.ifnames=0").keepsKernelNames)
    #expect(!evidence.keepsKernelNames && !self.evidence(tree, "net.ifnames=0 net.ifnames=1").keepsKernelNames)
    // The driver of another card is of no use.
    #expect(evidence.drivers == [] && findings(evidence, "network-card")[0].hasPrefix("warning it is not known"))
    // So for the variables of the file, in an image.
    let file = try machine(
      image: [
        "etc/iscsi/iscsi.initramfs":
          "ISCSI_TARGET_NAME=iqn.2026-11.org.example:disk\nISCSI_TARGET_IP=10.0.0.1\nISCSI_IP=10.0.0.2:::24::eth7:none\n",
        "etc/iscsi/initiatorname.iscsi": "InitiatorName=iqn.2026-11.org.example:here\n",
      ])
    let other = self.evidence(file, "quiet")
    #expect(findings(other, "network") == ["problem there is no network card eth7 in this machine"])
    #expect(
      other.findings.contains {
        $0.evidence.contains("asked for by ISCSI_IP in /etc/iscsi/iscsi.initramfs of the image")
      })
  }

  @Test(
    "Cards are known by their MAC address, too; with one of two cards the boot may go on; and of another machine nobody knows"
  )
  func otherCards() throws {
    let tree = try machine(image: Self.image)
    let named = evidence(tree, Self.target + " ifname=san0:52:54:00:00:00:02 ip=10.0.0.2:::24::san0:none")
    #expect(
      named.bootDevices == ["eth1"] && named.drivers == ["e1000e"] && findings(named, "network")[0].hasPrefix("ok"))
    let lost = evidence(tree, Self.target + " ifname=san0:52:54:00:00:00:03 ip=10.0.0.2:::24::san0:none")
    #expect(findings(lost, "network") == ["problem there is no network card 52:54:00:00:00:03 in this machine"])
    let bound = evidence(tree, "netroot=iscsi:10.0.0.1:::iface0:eth7::iqn.2026-11.org.example:disk")
    #expect(findings(bound, "network") == ["problem there is no network card eth7 in this machine"])
    let late = evidence(tree, "root=dhcp ip=eth7:dhcp")
    #expect(findings(late, "network") == ["problem there is no network card eth7 in this machine"])
    let two = evidence(tree, Self.target + " ip=10.0.0.2:::24::eth0:none ip=10.0.1.2:::24::eth7:none")
    #expect(findings(two, "network") == ["warning there is no network card eth7 in this machine"])
    for made in ["bond=bond0:eth0,eth1:mode=active-backup", "bridge=bond0:eth0", "team=bond0"] {
      let vlan =
        made.hasPrefix("team") ? "ip=10.0.0.2:::24::bond0.5:none vlan=bond0.5:bond0" : "ip=10.0.0.2:::24::bond0:none"
      let found = findings(evidence(tree, Self.target + " \(vlan) \(made)"), "network")
      #expect(found.map { $0.prefix(68) } == ["warning bond0 is no network card of this machine, but made by dracut"])
    }
    let bare = try bareRoot()
    let foreign = evidence(bare, Self.target + " ip=10.0.0.2:::24::nosuch7:none", kernel: "6.12", here: tree.root)
    #expect(foreign.isForeign && foreign.machineCards == ["eth0 (52:54:00:00:00:01)", "eth1 (52:54:00:00:00:02)"])
    #expect(findings(foreign, "network").map { $0.prefix(15) } == ["warning nosuch7"])
  }

  /// A system with an image, and without a sysfs.
  private func bareRoot() throws -> SysfsTree {
    let bare = try SysfsTree()
    try bare.makeDirectory("boot")
    try AtomicFile.write(testArchive(Self.image), to: bare.root.appending("boot/initrd.img-6.12"))
    return bare
  }

  @Test("Of another root nobody knows that its machine has no firmware to boot from, but what is here is used")
  func unseenFirmware() throws {
    let tree = try machine(image: Self.image)
    let bare = try bareRoot()
    func found(_ line: String) -> [String] {
      findings(evidence(bare, line, kernel: "6.12", here: tree.root), "parameters").map { String($0.prefix(70)) }
    }
    let unseen = "warning rd.iscsi.firmware: the firmware of the machine cannot be seen from here"
    #expect(found("rd.iscsi.firmware=1") == [String(unseen.prefix(70))])
    #expect(found("quiet") == ["warning nothing but firmware can tell the image which target to log in"])
    #expect(found("rd.iscsi.firmware=0") == ["problem nothing tells the image which target to log in to"])
    #expect(found("netroot=iscsi:").last == "problem no login can be made of what the image is told")
    try tree.addFirmware()
    try tree.link("sys", "firmware", to: "firmware")
    #expect(found("rd.iscsi.firmware=1") == ["ok a boot logs in to the target that it is told"])
  }

  @Test(
    "A network from which the portal cannot be reached is told",
    arguments: [
      ("ip=10.0.0.2:::24::eth0:none", "ok no mistake was found in the network of the boot"),
      ("ip=10.0.1.2:::24::eth0:none", "problem nothing leads to 10.0.0.1:3260"),
      ("ip=10.0.1.2::10.0.1.1:24::eth0:none", "ok no mistake was found in the network of the boot"),
      (
        "ip=10.0.1.2::10.0.2.1:24::eth0:none",
        "warning the gateway 10.0.2.1 of eth0 is not on its network, 10.0.1.2/24"
      ),
      ("ip=10.0.1.2::10.0.2.1:32::eth0:none", "ok no mistake was found in the network of the boot"),
      (
        "ip=10.0.1.2:::24::eth0:none rd.route=10.0.0.0/24:10.0.1.1",
        "ok no mistake was found in the network of the boot"
      ),
      ("ip=[fd00::2]::[fd00::1]:64::eth0:none", "problem nothing leads to 10.0.0.1:3260"),
      ("ip=10.0.0.1:::24::eth0:none", "problem nothing leads to 10.0.0.1:3260"),
      ("ip=eth0:dchp", "problem a boot would set up no network"),
      ("ip=eth0:off", "problem nothing leads to 10.0.0.1:3260"),
      ("ip=eth0:dhcp", "ok no mistake was found in the network of the boot"),
      ("", "ok no mistake was found in the network of the boot"),
      (
        "ip=10.0.0.2:::24::eth0:none netroot=iscsi:10.9.0.1::::iqn.2026-11.org.example:disk",
        "warning nothing leads to 10.9.0.1:3260"
      ),
    ])
  func ways(parameters: String, wanted: String) throws {
    let tree = try machine(image: Self.image)
    #expect(findings(evidence(tree, Self.target + " " + parameters), "network") == [wanted])
  }

  @Test(
    "The driver is that of the card in ip=, whatever card leads to the target now, and what it needs is looked for in the image"
  )
  func driverOfTheCard() throws {
    let tree = try machine(image: Self.image)
    let evidence = evidence(tree, Self.target + " ip=10.0.0.2:::24::eth1:none")
    #expect(evidence.networkDevices == ["eth0"] && evidence.drivers == ["e1000e"])
    let finding = try #require(evidence.findings.first { $0.rule == "image-modules" })
    #expect(finding.verdict == .problem && finding.evidence.contains("e1000e (the network card)"))
    #expect(finding.evidence.contains("ptp (the network card, by way of e1000e)"))
    #expect(self.evidence(tree, Self.target + " ip=10.0.0.2:::24::eth0:none").drivers == ["virtio_net"])
  }

  @Test("What is a part of the running kernel is a module of another one, by what the card says of itself")
  func otherKernel() throws {
    let tree = try machine(
      [
        "lib/modules/6.1/modules.dep":
          "kernel/virtio_net.ko:\nkernel/xhci-pci.ko:\nkernel/shpchp.ko:\nkernel/e1000e.ko:",
        "lib/modules/6.1/modules.builtin": "",
        "lib/modules/6.1/modules.alias":
          "alias virtio:d0000000[1-3]v* virtio_net\nalias pci:v*d*sv*sd*bc0Csc03i30* xhci-pci\nalias pci:v*d*sv*sd*bc06sc04i* shpchp",
        "sys/devices/pci/virtio0/modalias": "virtio:d00000001v00001AF4",
        "sys/devices/pci/modalias": "pci:v00001B36d0000000Dsv00001AF4sd00001100bc0Csc03i30",
        "sys/devices/modalias": "pci:v00001B36d0000000Csv0sd0bc06sc04i00",
      ], image: Self.image)
    try tree.link("sys/devices/pci", "driver", to: "sys/bus/pci/drivers/xhci_hcd")
    try tree.link("sys/devices", "driver", to: "sys/bus/pci/drivers/pcieport")
    let other = evidence(tree, Self.target, kernel: "6.1", image: "/boot/initrd.img-6.12")
    #expect(other.drivers == ["virtio_net"] && other.busDrivers == ["xhci_pci"])
    let finding = try #require(other.findings.first { $0.rule == "image-modules" })
    #expect(finding.evidence.contains("virtio_net (the network card)"))
    #expect(
      other.findings.contains { $0.evidence == ["driver: virtio_net, a module, which the image must hold"] })
    // In the running kernel it is built in.
    let running = evidence(tree, Self.target)
    #expect(running.drivers == ["virtio_net"] && running.busDrivers == [])
    #expect(running.findings.contains { $0.evidence == ["driver: virtio_net, which is built into kernel 6.12"] })
  }

  @Test("A card for which the kernel has nothing by its alias or its driver's name is told")
  func unknownDriver() throws {
    let tree = try machine(
      ["lib/modules/6.1/modules.dep": "kernel/iscsi_tcp.ko:", "sys/devices/pci/virtio0/modalias": "virtio:d1v1"],
      image: Self.image)
    let evidence = evidence(tree, Self.target, kernel: "6.1", image: "boot/initrd.img-6.12")
    #expect(
      findings(evidence, "network-card") == ["warning it is not known what drives eth0 (virtio:d1v1) in kernel 6.1"])
    // What drives it now is a module, which that kernel has not: that is told with the others, and it is not well.
    try tree.link("sys/bus/virtio/drivers/virtio_net", "module", to: "sys/module/virtio_net")
    let other = self.evidence(tree, Self.target, kernel: "6.1", image: "boot/initrd.img-6.12")
    #expect(other.drivers == ["virtio_net"] && findings(other, "network-card") == [])
    #expect(findings(other, "kernel-modules") == ["problem kernel 6.1 lacks modules that a boot needs"])
  }

  @Test(
    "Aliases are patterns as kmod has them",
    arguments: [
      ("a:*", "a:x", true), ("a:*c", "a:bcc", true), ("a:b?d", "a:bcd", true), ("a:b?d", "a:bd", false),
      ("a:[b-d]x", "a:cx", true), ("a:[!b-d]x", "a:cx", false), ("a:[bd]", "a:c", false), ("a:*b*d*", "a:xbxxd", true),
      ("a:*b*d", "a:xbxx", false), ("a:", "a:x", false), ("a:[", "a:[", true),
    ])
  func patterns(pattern: String, alias: String, fits: Bool) {
    let modules = KernelModules(dependencies: "", builtIn: "", aliases: "alias \(pattern) m-x\n")
    #expect(modules.modules(driving: alias) == (fits ? ["m_x"] : []))
    let builtIn = KernelModules(dependencies: "", builtIn: "", information: "m-x.license=GPL\0m-x.alias=\(pattern)\0")
    #expect(builtIn.modules(driving: alias) == (fits ? ["m_x"] : []))
  }

  @Test("An image whose files are not those of the machine has to be made anew; values are not told")
  func files() throws {
    let settings = "ISCSI_TARGET_NAME=iqn.2026-11.org.example:disk\nISCSI_TARGET_IP=10.0.0.1\nISCSI_PASSWORD="
    let tree = try machine(
      [
        "etc/iscsi/iscsi.initramfs": "# a comment\n\(settings)wonderland12",
        "etc/iscsi/iscsid.conf": "node.session.auth.password = offwithherhead",
        "etc/initramfs-tools/initramfs.conf": "MODULES=dep\nIP=eth0:dhcp",
      ],
      image: [
        "scripts/local-top/iscsi-admin": "", "etc/iscsi/iscsi.initramfs": settings + "wonderland13\n",
        "etc/iscsi/initiatorname.iscsi": "# by hand\nInitiatorName=iqn.2026-11.org.example:here\n",
        "etc/iscsi/iscsid.conf": "#x\nnode.session.auth.password=other\n",
        "conf/initramfs.conf": "MODULES=most\nIP=eth1:dhcp\n",
      ])
    let evidence = evidence(tree, "quiet")
    let finding = try #require(evidence.findings.first { $0.rule == "image-files" })
    #expect(
      finding.evidence == [
        "/etc/iscsi/iscsi.initramfs differs in ISCSI_PASSWORD",
        "/etc/iscsi/iscsid.conf differs in node.session.auth.password",
        "/etc/initramfs-tools/initramfs.conf differs in IP",
      ])
    #expect(finding.verdict == .warning && finding.remedy == .advice("rebuild the image, then: update-initramfs -u"))
    #expect(!"\(evidence.findings)".contains("wonderland") && !"\(evidence.findings)".contains("offwith"))
    let same = try machine(
      ["etc/iscsi/iscsi.initramfs": settings],
      image: ["etc/iscsi.initramfs": settings + "\n# no more\n", "hooks/iscsi-admin": ""])
    #expect(
      findings(self.evidence(same), "image-files") == ["ok the image has no file that differs from the machine's"])
    let older = try machine(["etc/iscsi/iscsi.initramfs": settings], image: Self.image)
    #expect(
      findings(self.evidence(older), "image-files") == ["warning /etc/iscsi/iscsi.initramfs is not in the image"])
    let page = try machine(["etc/initcpio/hooks/iscsi": "iscsistart -i a"], image: ["hooks/iscsi": "iscsistart -i b\n"])
    #expect(
      findings(self.evidence(page), "image-files")
        == ["warning the image is not made from /etc/initcpio/hooks/iscsi as it is now"])
  }

  @Test("Secrets that everybody can read are told, with what to do, and never shown")
  func secrets() throws {
    let line =
      "netroot=iscsi:alice:wonderland12@10.0.0.1::::iqn.2026-11.org.example:disk rd.iscsi.in.password=offwithherhead"
    let tree = try machine(
      image: ["etc/iscsi/iscsi.initramfs": "ISCSI_PASSWORD=wonderland12\n", "scripts/functions": ""],
      permissions: [.ownerReadWrite, .groupRead, .otherRead])
    let file = tree.root.appending("etc/iscsi/iscsi.initramfs")
    try AtomicFile.write(
      Array("ISCSI_IN_PASSWORD=offwithherhead\n".utf8), to: file, permissions: [.ownerReadWrite, .otherRead])
    let open = evidence(tree, line)
    let found = open.findings.filter { $0.rule == "secrets" }
    let image = tree.root.appending("boot/initrd.img-6.12")
    #expect(found.map(\.verdict) == [.warning, .warning, .warning])
    #expect(found[0].remedy == .command("chmod 600 \(file)", "leaves it to root"))
    #expect(
      found[1].remedy
        == .advice("chmod 600 \(image); for later images UMASK=0077 in a file of /etc/initramfs-tools/conf.d"))
    #expect(found[2].evidence == ["parameters with a secret: netroot, rd.iscsi.in.password"])
    #expect(!"\(open.findings)".contains("wonderland") && !"\(open.findings)".contains("offwith"))
    try AtomicFile.write(Array("ISCSI_IN_PASSWORD=offwithherhead\n".utf8), to: file)
    try AtomicFile.write(testArchive(["etc/iscsi/iscsi.initramfs": "ISCSI_PASSWORD=wonderland12\n"]), to: image)
    #expect(
      findings(evidence(tree, "quiet"), "secrets") == [
        "ok no CHAP secret of the boot was found that everybody can read"
      ])
    // A file of everybody's that has none.
    try AtomicFile.write(Array("ISCSI_USERNAME=a\n".utf8), to: file, permissions: [.ownerReadWrite, .otherRead])
    #expect(evidence(tree, "rd.iscsi.username=a rd.iscsi.param=replacement-timeout=5").exposedSecrets == [])
    #expect(
      evidence(tree, "rd.iscsi.param=node.session.auth.password=x").exposedSecrets == [.commandLine(["rd.iscsi.param"])]
    )
  }

  @Test("Lines that end with CR LF are lines")
  func carriageReturns() throws {
    let text = "#x\r\nnode.session.auth.password = offwithherhead\r\nnode.startup = manual\r\n"
    let tree = try machine(image: ["etc/iscsi/iscsid.conf": text, "hooks/iscsi": "a\nb\n"])
    let file = tree.root.appending("etc/iscsi/iscsid.conf")
    try AtomicFile.write(
      Array("#x\r\nnode.session.auth.password = other\r\nnode.startup = manual\r\n".utf8), to: file,
      permissions: [.ownerReadWrite, .otherRead])
    try tree.makeDirectory("etc/initcpio/hooks")
    try tree.set("etc/initcpio/hooks/iscsi", to: .text("a\r\nb\r\n"))
    let evidence = evidence(tree, "quiet")
    #expect(evidence.files.map(\.differences) == [["node.session.auth.password"], []])
    #expect(evidence.exposedSecrets == [.file("\(file)")])
  }

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
