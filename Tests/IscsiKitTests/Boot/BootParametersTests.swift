// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import Testing

@testable import IscsiKit

@Suite("Parameters of a boot")
struct BootParametersTests {
  private func parameters(_ text: String) -> BootParameters { BootParameters(KernelCommandLine(text)) }

  @Test(
    "Targets are read from root paths of every dialect",
    arguments: [
      ("netroot=iscsi:10.0.0.1::::iqn.2026-11.org.example:disk", "10.0.0.1 - - -"),
      ("root=iscsi:10.0.0.1:6:3261:1:iqn.2026-11.org.example:disk", "10.0.0.1 3261 1 -"),
      ("root=iscsi:alice:secret@10.0.0.1:::0:iqn.2026-11.org.example:disk", "10.0.0.1 - 0 alice"),
      (
        "netroot=iscsi:alice:s@cret:bob:other@[fd00::1]::3260::san0:1:iqn.2026-11.org.example:disk",
        "fd00::1 3260 1 alice san0"
      ),
      ("netroot=iscsi:[fe80::1%eth0]:::2-0:iqn.2026-11.org.example:disk", "fe80::1%eth0 - 2 -"),
      ("iscsiroot=storage.example.org:::C0:iqn.2026-11.org.example:disk", "storage.example.org - 192 -"),
      ("netroot=iscsi::::1:iqn.2026-11.org.example:disk", "- - 1 -"),
      ("netroot=iscsi:@192.168.0.4::3260::iqn.2026-11.org.example:disk", "192.168.0.4 3260 - -"),
      (
        "netroot=iscsi:@10.43.136.67::3260:iface0:ens3::iqn.2026-11.org.example:disk", "10.43.136.67 3260 - - ens3"
      ),
    ])
  func rootPaths(text: String, wanted: String) throws {
    let parameters = parameters(text)
    #expect(parameters.problems == [])
    let target = try #require(parameters.targets.first)
    #expect(target.name.description == "iqn.2026-11.org.example:disk")
    let words = [
      target.host?.description ?? "-", target.port.map(String.init) ?? "-", target.lun?.description ?? "-",
      target.authentication.name ?? "-",
    ]
    #expect((words + (target.device.map { [$0] } ?? [])).joined(separator: " ") == wanted)
  }

  @Test(
    "What is wrong with a root path is told without any of its text",
    arguments: [
      "netroot=iscsi:alice:wonderland12:10.0.0.1:::1:iqn.2026-11.org.example:disk",
      "netroot=iscsi:alice:wonderland12:x:y:z@10.0.0.1:::1:iqn.2026-11.org.example:disk",
      "netroot=iscsi:10.0.0.1:::1:wonderland12", "netroot=iscsi:10.0.0.1:17::1:iqn.2026-11.org.example:disk",
      "netroot=iscsi:10.0.0.1::wonderland12:1:iqn.2026-11.org.example:disk",
      "netroot=iscsi:10.0.0.1:::wonderland12:iqn.2026-11.org.example:disk",
      "netroot=iscsi:10.0.0.1:::1:iqn.wonderland12", "netroot=iscsi:", "rd.iscsi.password=wonderland12\u{0}",
    ])
  func wrongRootPaths(text: String) throws {
    let parameters = parameters(text)
    #expect(parameters.targets == [] && parameters.problems.count == 1)
    #expect(!parameters.problems.description.contains("wonderland12"))
    #expect(parameters.isAskedFor == text.hasPrefix("netroot"))
    if text.hasSuffix(":wonderland12") || text.hasSuffix("iqn.wonderland12") {
      #expect(parameters.problems[0].reason.hasSuffix("; give another one by rd.iscsi.target.name="))
    }
  }

  @Test("dracut's and Debian's names mean the same, on the command line and in the file")
  func dialects() throws {
    let values = [
      "initiator": "iqn.2026-11.org.example:boot", "target_name": "iqn.2026-11.org.example:disk",
      "target_ip": "10.0.0.1", "target_port": "3261", "target_group": "2", "username": "alice",
      "password": "wonderland12", "in_username": "queen", "in_password": "offwithherhead",
    ]
    let debian = parameters(values.map { "iscsi_\($0)=\($1)" }.joined(separator: " "))
    let dracut = parameters(
      values.map { key, value in
        let parts = key.split(separator: "_").joined(separator: ".")
        return "rd.iscsi.\(parts)=\(value)"
      }.joined(separator: " "))
    let text = values.map { "ISCSI_\($0.uppercased())=\"\($1)\"\n" }.joined()
    var file = BootParameters(ShellAssignments(text), of: "iscsi.initramfs")
    #expect(Set(file.settingsFile?.names ?? []) == Set(values.keys.map { "ISCSI_\($0.uppercased())" }))
    // All else is the same.
    (file.settingsFile, file.targetNameOrigin) = (nil, nil)
    #expect(debian == dracut && debian == file && debian.problems == [])
    #expect(
      debian.targetHosts.map(\.description) == ["10.0.0.1"] && debian.targetPort == 3261 && debian.targetGroup == 2)
    #expect(debian.authentication.secret == Secret("wonderland12") && debian.authentication.targetName == "queen")
    #expect(debian.isAskedFor && debian.namesTarget)
  }

  @Test("The command line goes before the file, and a later word before an earlier one")
  func order() {
    let file = BootParameters(
      ShellAssignments(
        "ISCSI_AUTO=true\nISCSI_INITIATOR=iqn.2026-11.org.example:a\nISCSI_TARGET_IP='10.0.0.1 10.0.1.1'"),
      of: "f")
    #expect(file.targetHosts.count == 2 && file.usesFirmware == true)
    let line = parameters(
      "iscsi_initiator=iqn.2026-11.org.example:b iscsi_initiator=iqn.2026-11.org.example:c "
        + "netroot=iscsi:10.0.0.9::::iqn.2026-11.org.example:disk")
    let both = line.over(file)
    #expect(both.initiator?.description == "iqn.2026-11.org.example:c")
    #expect(both.usesFirmware == nil && both.targets.count == 1 && both.targetHosts.isEmpty)
    let third = parameters("rd.iscsi.profile=default rd.iscsi.firmware=0").over(file)
    #expect(third.profile == .standard && third.usesFirmware == false && third.targetHosts.count == 2)
  }

  @Test("A secret in the file is for a name on the command line, each variable by itself as Debian reads them")
  func credentials() throws {
    let file = BootParameters(
      ShellAssignments("ISCSI_USERNAME=alice\nISCSI_PASSWORD=wonderland12\nISCSI_IN_PASSWORD=offwithherhead"), of: "f")
    let both = parameters("iscsi_username=bob iscsi_in_username=queen").over(file).authentication
    #expect(both.name == "bob" && both.secret == Secret("wonderland12"))
    #expect(both.targetName == "queen" && both.targetSecret == Secret("offwithherhead"))
    #expect(parameters("quiet").over(file).authentication.name == "alice")
  }

  /// The parameters of a boot below a root with these files.
  private func parameters(_ files: KeyValuePairs<String, String>) throws -> BootParameters {
    let tree = try SysfsTree()
    for (path, text) in files {
      try tree.makeDirectory(path.split(separator: "/").dropLast().joined(separator: "/"))
      try tree.set(path, to: .text(text))
    }
    var sources = BootSources()
    sources.root = tree.root
    return sources.parameters()
  }

  @Test(
    "dracut's files are read in its order: those of the image, the kernel's command line, and what programs add to it")
  func files() throws {
    let all: KeyValuePairs = [
      "etc/cmdline.d/a.conf": "rd.iscsi.login_retry_max=1 iscsi_target_port=1",
      "etc/cmdline": "rd.iscsi.login_retry_max=2 iscsi_target_port=2 iscsi_target_group=2",
      "proc/cmdline": "rd.iscsi.login_retry_max=3 iscsi_target_group=3",
      "run/initramfs/cmdline.d/b.conf": "rd.iscsi.login_retry_max=4", "run/cmdline.d/c.conf": "iscsi_target_group=9",
    ]
    let found = try parameters(all)
    #expect(found.loginRetryLimit == 4 && found.targetGroup == 3 && found.targetPort == 2)
    let image = BootSources.parameters(
      typed: [("t", "iscsi_target_group=3")], carried: [("a", "iscsi_target_port=1"), ("b", "iscsi_target_port=2")])
    #expect(image.targetPort == 2 && image.targetGroup == 3)
  }

  @Test("Of a target and a network device it is kept where they were read, and lists come whole from one place")
  func origins() throws {
    let name = "iqn.2026-11.org.example:disk"
    let file = "ISCSI_IP=eth0:dhcp\nISCSI_TARGET_NAME=\(name)\nISCSI_TARGET_IP=10.0.0.1\n"
    func origins(_ files: KeyValuePairs<String, String>) throws -> [String?] {
      let plan = BootPlan(
        BootPlan.Input(parameters: try parameters(files), machineName: try InitiatorName("iqn.2026-11.org.example:me")))
      return plan.links.map(\.origin) + plan.logins.map(\.origin)
    }
    let place = "/etc/iscsi/iscsi.initramfs"
    #expect(
      try origins(["etc/iscsi/iscsi.initramfs": file]) == ["ISCSI_IP in \(place)", "ISCSI_TARGET_NAME in \(place)"])
    #expect(
      try origins(["etc/iscsi/iscsi.initramfs": file, "proc/cmdline": "ip=eth1:dhcp"]) == [
        "ip= on the kernel's command line", "ISCSI_TARGET_NAME in \(place)",
      ])
    #expect(
      try origins(["etc/cmdline.d/a.conf": "root=iscsi:10.0.0.1::::\(name)", "conf/initramfs.conf": "IP=eth1:dhcp"])
        == [
          "IP in /conf/initramfs.conf", "root= in /etc/cmdline.d/a.conf",
        ])
    #expect(
      try origins([
        "conf/initramfs.conf": "IP=eth1:dhcp", "conf/conf.d/b": "IP=eth2:dhcp", "conf/conf.d/a": "IP=eth3:dhcp",
        "proc/cmdline": "netroot=iscsi:10.0.0.1::::\(name)",
      ]).first == "IP in /conf/conf.d/b")
    #expect(try origins(["proc/cmdline": "netroot=iscsi:10.0.0.1::::\(name)"]).first == "as no ip= is told")
  }

  @Test(
    "A misspelt parameter is told with the one that it may be meant for, and words of others are not",
    arguments: [
      ("rd.iscsi.targetname=x", "rd.iscsi.target.name"), ("rd.iscsi.initator=x", "rd.iscsi.initiator"),
      ("iscsi_target_nam=x", "iscsi_target_name"), ("ISCSI_TARGET_IP=x", "iscsi_target_ip"),
      ("isci_target_name=x", "iscsi_target_name"), ("rd.isci.firmware", "rd.iscsi.firmware"),
      ("rd.iscsi.nothing.like.any=1", ""), ("iscsi_tcp.debug_iscsi_tcp=1", nil), ("isolcpus=1", nil),
      ("rd.luks.uuid=1", nil), ("iscsi:alice:wonderland12@10.0.0.1", nil), ("quiet", nil),
    ] as [(String, String?)])
  func misspelt(text: String, near: String?) {
    let problems = parameters(text).problems.map(\.description)
    let name = text.split(separator: "=")[0]
    let hint = near.map { $0.isEmpty ? "" : " (did you mean \($0)?)" }
    #expect(problems == (hint.map { ["\(name): there is no such parameter\($0)"] } ?? []))
  }

  @Test("A misspelt variable of the file is told likewise, if it seems to be one of ours")
  func misspeltVariables() {
    let file = BootParameters(
      ShellAssignments("ISCSI_TARGETNAME=1\nISCI_PASSWORD=wonderland12\niscsi_ip=1\nPATH=/bin\n"), of: "f")
    #expect(
      file.problems.map(\.description) == [
        "f: ISCSI_TARGETNAME: there is no such parameter (did you mean ISCSI_TARGET_NAME?)",
        "f: ISCI_PASSWORD: there is no such parameter (did you mean ISCSI_PASSWORD?)",
        "f: iscsi_ip: there is no such parameter (did you mean ISCSI_IP?)",
      ])
  }

  @Test("netroot=iscsi is for names that stand elsewhere, or else for the DHCP server")
  func netrootAlone() {
    func usesRootPath(_ parameters: BootParameters) -> Bool { BootPlan.Input(parameters: parameters).usesRootPath }
    #expect(usesRootPath(parameters("netroot=iscsi")))
    #expect(!usesRootPath(parameters("netroot=iscsi rd.iscsi.target.name=iqn.2026-11.org.example:disk")))
    let file = BootParameters(ShellAssignments("ISCSI_TARGET_NAME=iqn.2026-11.org.example:disk"), of: "f")
    #expect(!usesRootPath(parameters("netroot=iscsi").over(file)))
    let firmware = BootPlan.Input(parameters: parameters("netroot=iscsi rd.iscsi.firmware=1"))
    #expect(!firmware.usesRootPath && firmware.usesFirmware)
    #expect(!BootPlan.Input(parameters: parameters("netroot=iscsi")).usesFirmware)
    #expect(parameters("root=dhcp").usesRootPath && parameters("netroot=dhcp").usesRootPath)
    let other = parameters("root=UUID=1 netroot=nbd:10.0.0.1 quiet splash console=ttyS0")
    #expect(other == BootParameters())
  }

  @Test("A setting may have blanks in it on the command line; in the file they are between settings")
  func settings() {
    let line = parameters("\"rd.iscsi.param=node.session.auth.password=a b\"")
    #expect(line.settings == [.init(key: "node.session.auth.password", value: "a b")] && line.problems == [])
    let file = BootParameters(ShellAssignments("ISCSI_PARAM='a=1 b=2'"), of: "f")
    #expect(file.settings.map(\.key) == ["a", "b"])
    let wrong = BootParameters(ShellAssignments("ISCSI_PARAM='a=1 b'"), of: "f")
    #expect(wrong.settings == [] && wrong.problems.map(\.parameter) == ["f: ISCSI_PARAM"])
  }

  @Test("A parameter that cannot be understood is told by its name, and the rest counts")
  func problems() {
    let parameters = parameters(
      "iscsi_target_port=0 ip=10.0.0.300::10.0.0.1:255.255.255.0:h:eth0:none rd.iscsi.initiator=nonsense "
        + "rd.iscsi.transport=iser iscsi_auto=perhaps rd.iscsi.param=x iscsi_username= rd.iscsi.firmware")
    #expect(
      parameters.problems.map(\.parameter) == [
        "iscsi_target_port", "ip", "rd.iscsi.initiator", "rd.iscsi.transport", "iscsi_auto", "rd.iscsi.param",
        "iscsi_username",
      ])
    #expect(parameters.usesFirmware == true)
    let file = BootParameters(ShellAssignments("ISCSI_TARGT_IP=1\nif\nPATH=/bin\nISCSI_USERNAME="), of: "f")
    #expect(file.problems.map(\.parameter) == ["f, line 2", "f: ISCSI_TARGT_IP"])
  }
}

@Suite("Interfaces of a boot")
struct BootInterfaceTests {
  @Test(
    "ip= is read in the kernel's form and in dracut's",
    arguments: [
      ("dhcp", "- dhcp"), ("on", "- dhcp"), ("dhcp6", "- dhcp6"), ("auto6", "- auto6"), ("ibft", "- ibft"),
      ("eth0:dhcp", "eth0 dhcp"), ("eth0:dhcp:9000", "eth0 dhcp mtu 9000"),
      ("eth0:dhcp:1400:52:54:00:12:34:56", "eth0 dhcp mtu 1400 mac 52:54:00:12:34:56"),
      ("10.0.0.2::10.0.0.1:255.255.255.0:host:eth0:none", "eth0 10.0.0.2/24 via 10.0.0.1"),
      ("10.0.0.2:::24::eth0:off", "eth0 10.0.0.2/24"), ("10.0.0.2/20::10.0.0.1", "- 10.0.0.2/20 via 10.0.0.1"),
      ("10.0.0.2", "- 10.0.0.2/8"), ("192.168.1.101", "- 192.168.1.101/24"),
      ("172.16.0.1:::::eth0", "eth0 172.16.0.1/16"),
      ("10.0.0.2::10.0.0.1:24:h:eth0:none:9000", "eth0 10.0.0.2/24 via 10.0.0.1 mtu 9000"),
      (
        "10.0.0.2::10.0.0.1:24:h:eth0:none:10.0.0.53:10.0.0.54", "eth0 10.0.0.2/24 via 10.0.0.1 dns 10.0.0.53 10.0.0.54"
      ),
      ("10.0.0.2::10.0.0.1:24:h:eth0:none::52:54:00:12:34:56", "eth0 10.0.0.2/24 via 10.0.0.1 mac 52:54:00:12:34:56"),
      ("[fd00::2]::[fd00::1]:64::eth0:none", "eth0 fd00::2/64 via fd00::1"),
      ("[fd00::2]:::::eth0:off", "eth0 fd00::2/64"),
      (":::::eth1:dhcp", "eth1 dhcp"), ("::::host::dhcp", "- dhcp"), (":::::eth1", "eth1 dhcp"),
      ("10.0.0.2:10.0.0.9::32::eth0:none", "eth0 10.0.0.2/32 to 10.0.0.9"), ("eth0:off", "eth0 none"),
      ("none", "- none"),
      ("10.0.0.2::10.0.0.1:255.255.255.0::eth0:dhcp", "eth0 dhcp via 10.0.0.1"),
      // What PXELINUX writes has the boot server in the second place.
      ("10.0.0.2:10.9.0.1:10.0.0.1:255.255.255.0", "- 10.0.0.2/24 via 10.0.0.1"),
      ("10.0.0.2:10.0.0.3::31::eth0:none", "eth0 10.0.0.2/31 to 10.0.0.3"),
      ("[fd00::2]:[fd00::3]::127::eth0:none", "eth0 fd00::2/127 to fd00::3"),
      ("[fd00::2]:[fd00::3]::64::eth0:none", "eth0 fd00::2/64"),
      ("0.0.0.0:0.0.0.0:0.0.0.0:0.0.0.0::eth0:dhcp:0.0.0.0", "eth0 dhcp"),
      ("192.168.1.5:0.0.0.0:0.0.0.0:0.0.0.0::eth0", "eth0 192.168.1.5/24"),
      ("single-dhcp", "- dhcp"), ("dhcp,dhcp6", "- dhcp"),
    ])
  func forms(text: String, wanted: String) throws {
    let interface = try BootInterface(parameter: text)
    var words = [interface.device ?? "-"]
    switch interface.addressing {
    case .fixed(let address, let prefixLength, let peer):
      words.append("\(address)/\(prefixLength)" + (peer.map { " to \($0)" } ?? ""))
    case .dhcp(let isIPv6): words.append(isIPv6 ? "dhcp6" : "dhcp")
    case .routerAdvertisement: words.append("auto6")
    case .firmware: words.append("ibft")
    case .linkOnly: words.append("none")
    }
    if let gateway = interface.gateway { words.append("via \(gateway)") }
    if let mtu = interface.mtu { words.append("mtu \(mtu)") }
    if let address = interface.hardwareAddress { words.append("mac \(address)") }
    if !interface.nameServers.isEmpty {
      words.append("dns " + interface.nameServers.map(\.description).joined(separator: " "))
    }
    #expect(words.joined(separator: " ") == wanted)
  }

  @Test(
    "What cannot be an interface is refused",
    arguments: [
      "", "sometimes", "eth0:sometimes", "10.0.0.2:::255.0.255.0", "10.0.0.2:::33", "10.0.0.2::nowhere:24", "bootp",
      "10.0.0.2:::24::a/b:none", "10.0.0.2:::24::eth0:perhaps", "eth0:dhcp:9", "eth0:dhcp:99999999999",
      "[fd00::2]:::129",
      "10.0.0.2/24/24",
    ])
  func refused(text: String) {
    #expect(throws: BootParameterFault.self) { try BootInterface(parameter: text) }
  }

  @Test(
    "What stands in the place of a method is the wrong part, not the device before it",
    arguments: [
      ("eth0:dchp", "dchp"), ("eth0:dchp:1400", "dchp"), ("dchp", "dchp"), ("eth0:", ""), ("eth0", "eth0"),
      ("10.0.0.2:::24::eth0:nnoe", "nnoe"),
    ])
  func mistakenMethods(text: String, word: String) {
    let wanted = "\(word.debugDescription) is none of dhcp, dhcp6, auto6, ibft, none and off"
    #expect(throws: BootParameterFault(wanted)) { try BootInterface(parameter: text) }
  }

  @Test("Netmasks are rows of bits")
  func masks() {
    #expect(IPAddress("255.255.240.0")?.maskLength == 20 && IPAddress("0.0.0.0")?.maskLength == 0)
    #expect(IPAddress("255.0.255.0")?.maskLength == nil && IPAddress("ffff:ffff::")?.maskLength == 32)
  }

  @Test("VLANs and routes are read as dracut does")
  func others() throws {
    #expect(try BootVLAN(parameter: "eth0.0005:eth0") == BootVLAN(number: 5, name: "eth0.0005", link: "eth0"))
    #expect(try BootVLAN(parameter: "vlan4094:eth0").number == 4094)
    for text in ["vlan:eth0", "vlan4095:eth0", "vlan5", "vlan5:a/b"] {
      #expect(throws: BootParameterFault.self) { try BootVLAN(parameter: text) }
    }
    let network = try #require(IPAddress("10.9.0.0")), gateway = try #require(IPAddress("10.0.0.1"))
    #expect(
      try BootRoute(parameter: "10.9.0.0/16:10.0.0.1:eth0")
        == BootRoute(network: network, prefixLength: 16, gateway: gateway, device: "eth0"))
    let sixth = try #require(IPAddress("fd01::"))
    #expect(try BootRoute(parameter: "[fd01::/64]::eth0").network == sixth)
    #expect(throws: BootParameterFault.self) { try BootRoute(parameter: "10.9.0.0/33") }
  }
}
