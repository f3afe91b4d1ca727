// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("What a boot leaves for who manages the network of the system")
struct BootHandoverTests {
  /// A machine with a card, and the VLAN 5 on it.
  private func machine() throws -> SysfsTree {
    let tree = try SysfsTree()
    for (name, index) in [("eth0", 2), ("eth0.5", 3)] {
      try tree.makeDirectory("sys/class/net/\(name)")
      try tree.set("sys/class/net/\(name)/address", to: .text("52:54:00:12:34:56"))
      try tree.set("sys/class/net/\(name)/ifindex", to: .text("\(index)"))
    }
    try tree.makeDirectory("sys/class/net/eth0/device")
    try tree.makeDirectory("sys/class/net/eth0.5/lower_eth0")
    return tree
  }

  private func text(_ path: String, _ tree: borrowing SysfsTree) throws -> String {
    String(decoding: try FileContents(of: tree.root.appending(path), limit: 4096).octets, as: UTF8.self)
  }

  @Test("systemd-networkd, NetworkManager and ifupdown are told of the device, and of what it is made of")
  func notes() throws {
    let tree = try machine()
    let server = try #require(IPAddress("10.0.0.53"))
    try BootHandover(root: tree.root).leave(for: ["eth0.5"], nameServers: [server])
    let vlan = try text("run/systemd/network/05-iscsi-admin-eth0.5.network", tree)
    #expect(vlan.contains("[Match]\nName=eth0.5\n\n[Network]\nKeepConfiguration=yes\nDNS=10.0.0.53\n"))
    let card = try text("run/systemd/network/05-iscsi-admin-eth0.network", tree)
    // It may get another name, and the VLAN has its address. Of what others are made of, such as a bond, networkd would undo that.
    #expect(card.contains("[Match]\nMACAddress=52:54:00:12:34:56\nType=ether\n\n[Link]\nUnmanaged=yes\n"))
    #expect(!card.contains("DNS=") && !card.contains("[Network]"))
    let manager = try text("run/NetworkManager/conf.d/05-iscsi-admin-eth0.conf", tree)
    #expect(
      manager.hasSuffix("[keyfile]\nunmanaged-devices+=mac:52:54:00:12:34:56;interface-name:eth0\n"))
    #expect(try text("run/network/ifstate.eth0.5", tree) == "iscsi-admin-boot\n")
    #expect(try text("run/network/ifstate.eth0", tree) == "iscsi-admin-boot\n")
    let unit = try text("run/systemd/system.control/ifup@eth0.5.service.d/05-iscsi-admin.conf", tree)
    #expect(unit.hasSuffix("\n[Unit]\nConditionFileNotEmpty=!/run/network/ifstate.%I\n"))
    // That would say that systemd runs.
    #expect(try !SysfsDirectory(path: tree.root.appending("run/systemd")).names().contains("system"))
  }

  @Test(
    "Names of units have the names of devices in them as systemd writes them",
    arguments: [
      ("eth0", "eth0"), ("eth0.5", "eth0.5"), ("br-lan_1:2", #"br\x2dlan_1:2"#), (".a@", #"\x2ea\x40"#),
      ("a\u{1}é", #"a\x01\xc3\xa9"#),
    ])
  func units(device: String, escaped: String) { #expect(device.escapedForUnits == escaped) }

  @Test("Others than root can read the notes, as those do who have to")
  func readable() throws {
    let tree = try machine()
    try BootHandover(root: tree.root).leave(for: ["eth0"])
    let folder = tree.root.appending("run/systemd/network")
    let outcome = try Program([
      "/usr/bin/stat", "-c", "%a", folder.string, folder.appending("05-iscsi-admin-eth0.network").string,
    ]).run(until: .now + .seconds(10))
    #expect(String(decoding: outcome.output, as: UTF8.self) == "755\n644\n")
  }

  @Test("A device that is not there, or that has no name of one, gets no note")
  func unknown() throws {
    let tree = try machine()
    try BootHandover(root: tree.root).leave(for: ["eth7", "../eth0"])
    #expect(try SysfsDirectory(path: tree.root).names() == ["sys"])
  }

  @Test("What has been left is what the check of the shutdown looks for")
  func check() throws {
    let tree = try machine()
    try tree.makeDirectory("etc/network")
    try tree.set("etc/network/interfaces", to: .text("auto eth0\niface eth0 inet dhcp"))
    try tree.makeDirectory("run/network")
    try tree.set("run/network/ifstate", to: .text("lo=lo"))
    var sources = BootSources()
    sources.root = tree.root
    #expect(BootEvidenceCollector(sources).managers(of: "eth0") == [.ifupdown(switchesOff: true)])
    try BootHandover(root: tree.root).leave(for: ["eth0"])
    try tree.makeDirectory("run/systemd/netif/links")
    try tree.set(
      "run/systemd/netif/links/2",
      to: .text("ADMIN_STATE=configured\nNETWORK_FILE=/run/systemd/network/05-iscsi-admin-eth0.network"))
    #expect(
      BootEvidenceCollector(sources).managers(of: "eth0") == [.networkd(keeps: true), .ifupdown(switchesOff: false)])
  }

  @Test("That an address is a server's is known later")
  func lease() throws {
    let tree = try machine()
    BootHandover.noteLease(of: try #require(IPAddress("10.0.0.57")), for: "eth0", below: tree.root)
    #expect(try text("run/iscsi-admin/lease-eth0", tree) == "10.0.0.57\n")
  }
}

@Suite("Who takes the network away at the shutdown")
struct BootManagersTests {
  private func managers(_ files: KeyValuePairs<String, String>) throws -> [BootEvidence.NetworkManager] {
    let tree = try SysfsTree()
    try tree.makeDirectory("sys/class/net/eth0")
    try tree.set("sys/class/net/eth0/ifindex", to: .text("2"))
    for (path, text) in files {
      try tree.makeDirectory(path.split(separator: "/").dropLast().joined(separator: "/"))
      try tree.set(path, to: .text(text))
    }
    var sources = BootSources()
    sources.root = tree.root
    return BootEvidenceCollector(sources).managers(of: "eth0")
  }

  /// What ifupdown does, by its file and others beside it.
  private func ifupdown(
    _ text: String, _ others: KeyValuePairs<String, String> = [:]
  ) throws -> [BootEvidence.NetworkManager] {
    let tree = try SysfsTree()
    for (path, text) in Array(others) + [
      (key: "etc/network/interfaces", value: text), (key: "run/network/ifstate", value: "lo=lo"),
    ] {
      try tree.makeDirectory(path.split(separator: "/").dropLast().joined(separator: "/"))
      try tree.set(path, to: .text(text))
    }
    var sources = BootSources()
    sources.root = tree.root
    return BootEvidenceCollector(sources).managers(of: "eth0")
  }

  @Test("The files that Debian's own names are read as well, by patterns and from folders")
  func sources() throws {
    let stanza = "allow-hotplug eth0\niface eth0 inet dhcp"
    let off: [BootEvidence.NetworkManager] = [.ifupdown(switchesOff: true)]
    let stock = "source /etc/network/interfaces.d/*\n\nauto lo\niface lo inet loopback"
    #expect(try ifupdown(stock) == [])
    #expect(try ifupdown(stock, ["etc/network/interfaces.d/setup.conf": stanza]) == off)
    #expect(try ifupdown("source interfaces.d/*.cfg", ["etc/network/interfaces.d/a.cfg": stanza]) == off)
    #expect(try ifupdown("source interfaces.d/*.cfg", ["etc/network/interfaces.d/a.conf": stanza]) == [])
    let folder = "source-directory /etc/network/interfaces.d"
    #expect(try ifupdown(folder, ["etc/network/interfaces.d/lan": stanza]) == off)
    #expect(try ifupdown(folder, ["etc/network/interfaces.d/lan.bak": stanza]) == [])
    // A file that names itself has an end.
    #expect(try ifupdown("source /etc/network/interfaces\n" + stanza) == off)
  }

  @Test(
    "A device may be named by a pattern, kept at the shutdown, or left alone altogether",
    arguments: [
      ("auto /eth*\niface eth0 inet dhcp", true), ("auto \\\n  eth0\niface eth0 inet static", true),
      ("auto eth1\niface eth0 inet dhcp", nil), ("auto eth0\niface eth0 inet manual", false),
      ("auto eth0\niface eth0 inet manual\niface eth0 inet6 dhcp", true),
      ("auto eth0\nno-auto-down eth0\niface eth0 inet dhcp", false),
      ("auto eth0\nno-auto-down /eth?\niface eth0 inet dhcp", false), ("#auto eth0", nil),
    ] as [(String, Bool?)])
  func lines(_ text: String, _ switchesOff: Bool?) throws {
    #expect(try ifupdown(text) == (switchesOff.map { [.ifupdown(switchesOff: $0)] } ?? []))
  }

  @Test(
    "systemd-networkd keeps what its file, or one that is dropped in, says",
    arguments: [
      ("", "", false, false), ("KeepConfiguration=yes", "", true, true), ("KeepConfiguration=on", "", true, true),
      ("KeepConfiguration=1", "", true, true), ("KeepConfiguration=dhcp-on-stop", "", true, true),
      ("KeepConfiguration=static", "", false, true), ("KeepConfiguration=static", "", true, false),
      ("KeepConfiguration=no", "KeepConfiguration=yes", true, true),
      ("KeepConfiguration=yes", "KeepConfiguration=no", true, false), ("", "[Link]\nUnmanaged=true", true, true),
    ])
  func networkd(_ file: String, _ addition: String, _ isLeased: Bool, _ keeps: Bool) throws {
    let found = try managers([
      "run/systemd/netif/links/2":
        "ADMIN_STATE=configured\nNETWORK_FILE=/etc/a.network\nNETWORK_FILE_DROPINS=\"/etc/a.network.d/a.conf\"",
      "etc/a.network": "[Network]\n\(file)", "etc/a.network.d/a.conf": addition,
      isLeased ? "run/systemd/netif/leases/2" : "run/other": "ADDRESS=10.0.0.9",
    ])
    #expect(found == [.networkd(keeps: keeps)])
  }

  @Test("dhcpcd that is told to leave the address is no danger")
  func dhcpcd() throws {
    func found(_ line: String, _ file: String = "") throws -> [BootEvidence.NetworkManager] {
      try managers(["proc/12/comm": "dhcpcd", "proc/12/cmdline": line, "etc/dhcpcd.conf": file])
    }
    #expect(try found("dhcpcd\0eth0") == [.client("dhcpcd")])
    #expect(try found("dhcpcd\0--persistent\0eth0") == [] && found("dhcpcd\0-qp\0eth0") == [])
    #expect(try found("dhcpcd\0eth0", "hostname\npersistent\n") == [])
    #expect(try found("dhcpcd\0eth0", "#persistent\n") == [.client("dhcpcd")])
  }

  @Test(
    "Patterns are those of a shell, as far as such files have them",
    arguments: [
      ("*", "", true), ("*.cfg", "a.cfg", true), ("*.cfg", "a.cfg.bak", false), ("e?h*0", "eth10", true),
      ("a*b*c", "axxbyyc", true), ("a*b*c", "axxbyy", false), ("eth0", "eth00", false), ("?", "", false),
    ])
  func patterns(_ pattern: String, _ text: String, _ stands: Bool) {
    #expect(pattern.stands(for: text) == stands)
  }
}
