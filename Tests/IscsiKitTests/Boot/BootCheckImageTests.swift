// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("What the check before a boot finds in an image")
struct BootCheckImageTests {
  /// A kernel with one module, and an image with these files.
  private func evidence(_ names: Set<String>, _ line: String = "quiet") -> BootEvidence {
    var evidence = BootEvidence(kernel: "6.12.1")
    evidence.modules = KernelModules(dependencies: "kernel/iscsi_tcp.ko:\n", builtIn: "")
    evidence.image = InitramfsImage(path: "/boot/i", names: names)
    var input = BootPlan.Input(
      parameters: BootParameters(KernelCommandLine(line), place: "on the kernel's command line"))
    input.machineName = try? InitiatorName("iqn.2026-11.org.example:here")
    evidence.plan = BootPlan(input)
    return evidence
  }

  private func findings(_ evidence: BootEvidence, _ rule: String) -> [String] {
    evidence.findings.filter { $0.rule == rule }.map { "\($0.verdict.rawValue) \($0.what)" }
  }

  @Test(
    "Modules of another kernel, or without their list, are none",
    arguments: [
      (
        ["usr/lib/modules/6.12.1/k/iscsi_tcp.ko.xz", "usr/lib/modules/6.12.1/modules.dep"],
        "ok the image has all modules that a boot needs"
      ),
      (
        ["lib/modules/6.12.1/k/iscsi_tcp.ko", "lib/modules/6.12.1/modules.dep.bin"],
        "ok the image has all modules that a boot needs"
      ),
      (
        ["usr/lib/modules/6.1.0-old/k/iscsi_tcp.ko", "usr/lib/modules/6.1.0-old/modules.dep"],
        "problem the image has modules of kernel 6.1.0-old and none of 6.12.1"
      ),
      (
        ["usr/lib/modules/6.12.1/k/iscsi_tcp.ko"],
        "problem the image has modules of kernel 6.12.1 and no list of them, so that none is found"
      ),
      (["usr/share/iscsi_tcp.ko"], "problem the image lacks modules, such as iscsi_tcp"),
    ] as [(Set<String>, String)])
  func modules(names: Set<String>, wanted: String) {
    #expect(findings(evidence(names), "image-modules") == [wanted])
  }

  @Test("An image of another kernel has to be made anew for this one, as its generator does it")
  func otherKernel() {
    func remedy(_ name: String) -> Finding.Remedy? {
      evidence(["usr/lib/modules/6.1/a.ko", name]).findings.first { $0.rule == "image-modules" }?.remedy
    }
    #expect(remedy("scripts/functions") == .advice("update-initramfs -u -k 6.12.1"))
    #expect(remedy("usr/lib/dracut/x") == .advice("dracut --force --kver 6.12.1"))
    #expect(remedy("x") == .advice("make the image anew for kernel 6.12.1"))
    #expect(
      remedy("buildconfig")
        == .advice(
          "see that /boot is mounted, and install the kernel's package anew if it was not when the kernel was upgraded; "
            + "then: mkinitcpio -P"))
  }

  @Test(
    "An address of each kind needs a client that asks for it",
    arguments: [
      ("eth0:dhcp6", ["ipconfig", "dhcpcd"], ["problem the image has no DHCPv6 client"]),
      ("eth0:dhcp6", ["udhcpc"], ["problem the image has no DHCPv6 client"]),
      ("eth0:dhcp6", ["udhcpc6"], ["ok the image has a DHCPv6 client: udhcpc6"]),
      ("eth0:dhcp6", ["dhclient"], ["ok the image has a DHCPv6 client: dhclient"]),
      ("eth0:dhcp", ["udhcpc6"], ["problem the image has no DHCP client"]),
      ("eth0:dhcp", ["ipconfig"], ["ok the image has a DHCP client: ipconfig"]),
      (
        "eth0:dhcp ip=eth1:dhcp6", ["udhcpc"],
        ["ok the image has a DHCP client: udhcpc", "problem the image has no DHCPv6 client"]
      ),
    ] as [(String, [String], [String])])
  func clients(parameter: String, programs: [String], wanted: [String]) {
    let evidence = evidence(
      Set(programs.map { "usr/sbin/\($0)" } + ["hooks/iscsi-admin"]),
      "netroot=iscsi:10.0.0.1::::iqn.2026-11.org.example:disk ip=\(parameter)")
    #expect(findings(evidence, "image-dhcp") == wanted)
  }

  @Test("A client that is there for the other kind alone is told of")
  func otherClient() throws {
    let evidence = evidence(
      ["usr/sbin/dhcpcd", "hooks/iscsi-admin"], "netroot=iscsi:10.0.0.1::::iqn.2026-11.org.example:disk ip=eth0:dhcp6")
    #expect(
      evidence.findings.first { $0.rule == "image-dhcp" }?.evidence == [
        "eth0 gets its address by DHCPv6 (ip= on the kernel's command line)",
        "none of udhcpc6, dhclient is in the image", "dhcpcd is in it, and asks for IPv4 addresses alone",
      ])
  }

  @Test(
    "CHAP settings that a login refuses are a problem, and short secrets a warning",
    arguments: [
      ("iscsi_username=alice iscsi_password=wonderland12", []),
      (
        "iscsi_username=alice iscsi_password=wonderland12 iscsi_in_username=queen iscsi_in_password=offwithherhead", []
      ),
      (
        "iscsi_username=alice iscsi_password=wonderland12 iscsi_in_username=queen iscsi_in_password=wonderland12",
        ["problem the CHAP secrets of both directions are equal"]
      ),
      (
        "iscsi_in_username=queen iscsi_in_password=offwithherhead",
        ["problem the target is to prove itself by CHAP, but there are no credentials of our own"]
      ),
      (
        "iscsi_username=alice iscsi_password=wonderland12 iscsi_in_username=queen",
        ["problem the target is to prove itself by CHAP, but there is no secret for that"]
      ),
      (
        "iscsi_username=alice iscsi_password=short iscsi_in_username=queen iscsi_in_password=offwith",
        [
          "warning the CHAP secret has 5 octets; RFC 7143 wants 12 at least",
          "warning the CHAP secret of the target has 7 octets; RFC 7143 wants 12 at least",
        ]
      ),
    ] as [(String, [String])])
  func credentials(line: String, wanted: [String]) {
    let target = "netroot=iscsi:10.0.0.1::::iqn.2026-11.org.example:disk"
    let evidence = evidence(["hooks/iscsi-admin"], "\(target) \(line)")
    #expect(findings(evidence, "parameters").filter { !$0.hasPrefix("ok") } == wanted)
    #expect(!"\(evidence.findings)".contains("wonderland12") && !"\(evidence.findings)".contains("offwith"))
  }

  @Test(
    "A file without a usable name of us is told with the reason",
    arguments: [
      (nil, "it has no /etc/iscsi/initiatorname.iscsi"),
      ("# nothing\n", "its /etc/iscsi/initiatorname.iscsi has no valid InitiatorName=: there is no such line"),
      ("InitiatorName=\n", "its /etc/iscsi/initiatorname.iscsi has no valid InitiatorName=: the name is empty"),
    ] as [(String?, String)])
  func initiatorName(text: String?, reason: String) {
    var evidence = evidence(["hooks/iscsi-admin"])
    evidence.image?.texts["etc/iscsi/initiatorname.iscsi"] = text
    evidence.plan = BootPlan(
      BootPlan.Input(
        parameters: BootParameters(KernelCommandLine("netroot=iscsi:10.0.0.1::::iqn.2026-11.org.example:disk"))))
    #expect(
      evidence.findings.first { $0.rule == "initiator-name" }?.evidence == ["\(reason), and no parameter names us"])
  }
}
