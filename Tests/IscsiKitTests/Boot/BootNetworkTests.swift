// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("The network of a boot")
struct BootNetworkTests {
  private func entry(_ change: (inout FirmwareEntry) throws -> Void = { _ in }) throws -> FirmwareEntry {
    let tree = try SysfsTree()
    try tree.addFirmware()
    let boot = try #require(try FirmwareReader(sysfs: Sysfs(root: tree.root)).boots().first)
    var entry = try #require(boot.entries().found.first)
    try change(&entry)
    return entry
  }

  /// What has become of a link.
  private func report(
    _ device: String, _ address: String?, via gateway: String? = nil, wasThere: Bool = false, hasCarrier: Bool = true,
    rootPath: String? = nil
  ) throws -> BootLinkReport {
    var report = BootLinkReport(source: "ip", device: device)
    let parts = address?.split(separator: "/").map(String.init) ?? []
    report.address = try parts.first.map { try #require(IPAddress($0)) }
    report.prefixLength = parts.last.flatMap { UInt8($0) }
    report.gateway = try gateway.map { try #require(IPAddress($0)) }
    (report.wasThere, report.hasCarrier, report.rootPath) = (wasThere, hasCarrier, rootPath)
    return report
  }

  /// The routes that a command line comes to with what has become of its links.
  private func routes(
    _ text: String, to targets: [String] = ["10.0.0.1"], _ reports: [BootLinkReport?], present: [String: String] = [:],
    defaultRoute: Bool = false, isComplete: Bool = true, after previous: BootRouting = BootRouting()
  ) throws -> [String] {
    let names = targets.map { "netroot=iscsi:\($0)::::iqn.2026-11.org.example:disk " }.joined()
    var input = BootPlan.Input(
      parameters: BootParameters(KernelCommandLine(names + text)),
      machineName: try InitiatorName("iqn.2026-11.org.example:machine"))
    input.rootPaths = reports.compactMap { $0?.rootPath }
    let plan = BootPlan(input)
    #expect(plan.links.count == reports.count)
    let found = Dictionary(
      uniqueKeysWithValues: reports.enumerated().compactMap { index, report in report.map { (index, $0) } })
    let there = try present.map { (try #require(IPAddress($0)), $1) }
    let routing = plan.settled(found, isComplete: isComplete, after: previous).routing(
      found, present: Dictionary(uniqueKeysWithValues: there), makesDefaultRoute: defaultRoute, isComplete: isComplete)
    return routing.routes.map(\.description) + routing.lost.map { "lost \($0)" }
  }

  @Test("A target on the network is reached directly, another one over the gateway, and one without is left alone")
  func routes() throws {
    let near = try BootLink(try entry())
    #expect(near.device == .named("san0") && near.vlan == nil && near.source == "ibft/ethernet0")
    let own = try #require(IPAddress("10.0.0.2"))
    #expect(near.addressing == .fixed(own, prefixLength: 24, peer: nil) && near.targets == [IPAddress("10.0.0.1")])
    let text = "ip=10.0.0.2::10.0.0.254:24::eth0:none"
    let found = try report("eth0", "10.0.0.2/24", via: "10.0.0.254")
    let world = "0.0.0.0/0 over 10.0.0.254 through eth0"
    #expect(try routes(text, [found]) == ["10.0.0.1/32 through eth0", world])
    #expect(try routes(text, to: ["10.9.0.1"], [found]) == ["10.9.0.1/32 over 10.0.0.254 through eth0", world])
    let plain = "ip=10.0.0.2:::24::eth0:none"
    #expect(try routes(plain, to: ["10.9.0.1"], [try report("eth0", "10.0.0.2/24")]) == ["lost 10.9.0.1"])
    #expect(
      try routes(plain, to: ["10.9.0.1"], [try report("eth0", "10.0.0.2/24")], present: ["10.9.0.1": "eth7"]) == [])
    // A gateway outside is at the other end of the wire.
    #expect(
      try routes("ip=10.0.0.2::10.0.0.254:32::eth0:none", [try report("eth0", "10.0.0.2/32", via: "10.0.0.254")]) == [
        "10.0.0.254/32 through eth0", "10.0.0.1/32 over 10.0.0.254 through eth0", world,
      ])
    #expect(
      try routes("ip=10.0.0.2:10.0.0.1::32::eth0:none", [try report("eth0", "10.0.0.2/32")]) == [
        "10.0.0.1/32 through eth0"
      ])
  }

  @Test("What is told by rd.route and what somebody else has set up goes before routes to targets")
  func presentRoutes() throws {
    let routed = "ip=10.0.0.2:::24::eth0:none rd.route=10.9.0.0/16:10.0.0.1"
    #expect(
      try routes(routed, to: ["10.9.0.1"], [try report("eth0", "10.0.0.2/24")]) == [
        "10.9.0.0/16 over 10.0.0.1 through eth0"
      ])
    // The root file system may be at the end of that route.
    let there = try report("eth0", "10.0.0.2/24", wasThere: true)
    #expect(try routes("ip=eth0:dhcp", to: ["10.9.0.1"], [there], present: ["10.9.0.1": "eth0"]) == [])
    #expect(try routes("ip=eth0:dhcp", to: ["10.9.0.1"], [there]) == ["lost 10.9.0.1"])
    #expect(try routes("ip=eth0:dhcp", to: ["10.0.0.1"], [there], present: ["10.0.0.1": "eth0"]) == [])
  }

  @Test("Targets are spread when it is known what network each link is on, each once, and by what has a carrier")
  func spread() throws {
    let both = "ip=eth0:dhcp ip=eth1:dhcp"
    let (first, second) = (try report("eth0", "10.0.0.2/24", via: "10.0.0.1"), try report("eth1", "10.0.1.2/24"))
    #expect(try routes(both, to: ["10.0.1.1"], [first, second]) == ["10.0.1.1/32 through eth1"])
    #expect(try routes(both, to: ["10.9.0.1"], [first, second]) == ["10.9.0.1/32 over 10.0.0.1 through eth0"])
    #expect(try routes(both, to: ["10.0.1.1"], [nil, second]) == ["10.0.1.1/32 through eth1"])
    let dead = try report("eth0", "10.0.1.3/24", hasCarrier: false)
    #expect(try routes(both, to: ["10.0.1.1"], [dead, second]) == ["10.0.1.1/32 through eth1"])
    let path = "iscsi:10.0.0.1:::1:iqn.2026-11.org.example:other"
    // A root path that nobody has asked for steers nothing.
    let management = try report("eth1", "10.0.1.2/24", via: "10.0.1.254", rootPath: path)
    #expect(
      try routes("ip=10.0.0.2:::24::eth0:none ip=eth1:dhcp", [try report("eth0", "10.0.0.2/24"), management]) == [
        "10.0.0.1/32 through eth0"
      ])
    #expect(
      try routes("ip=eth0:dhcp root=dhcp", to: [], [try report("eth0", "10.0.0.2/24", rootPath: path)]) == [
        "10.0.0.1/32 through eth0"
      ])
  }

  @Test("While links are still to come, what a route is told for waits for its link")
  func incomplete() throws {
    let first = try report("eth0", "10.0.0.2/24", via: "10.0.0.254")
    let second = try report("eth1", "10.0.1.2/24")
    let text = "ip=eth0:dhcp ip=eth1:dhcp rd.route=10.9.0.0/16:10.0.1.254"
    #expect(try routes(text, to: ["10.9.0.1"], [first, nil], isComplete: false) == [])
    #expect(
      try routes(text, to: ["10.9.0.1"], [first, second], isComplete: false) == [
        "10.9.0.0/16 over 10.0.1.254 through eth1"
      ])
    // None has the gateway: that was mistyped, or is at the other end of a wire.
    #expect(
      try routes(text, to: ["10.9.0.1"], [first, nil]) == ["10.9.0.0/16 over 10.0.1.254 through eth0"])
    // The link of the route is not there: what there is has to do.
    let named = "ip=eth0:dhcp ip=eth1:dhcp rd.route=10.9.0.0/16:10.0.1.254:eth1"
    #expect(try routes(named, to: ["10.9.0.1"], [first, nil], isComplete: false) == [])
    #expect(try routes(named, to: ["10.9.0.1"], [first, nil]) == ["10.9.0.1/32 over 10.0.0.254 through eth0"])
  }

  @Test("A target on the network of a link is reached through that link, whatever leads to wider networks")
  func wideRoute() throws {
    let first = try report("eth0", "10.0.0.2/24", via: "10.0.0.254")
    let second = try report("eth1", "10.0.1.2/24")
    let late = "ip=eth0:dhcp ip=eth1:dhcp rd.route=10.0.0.0/8:10.0.1.254:eth1"
    #expect(try routes(late, [first, nil], isComplete: false) == ["10.0.0.1/32 through eth0"])
    let wide = "ip=eth0:dhcp ip=eth1:dhcp rd.route=10.0.0.0/8:10.0.0.254:eth0"
    #expect(
      try routes(wide, to: ["10.0.1.1"], [first, second]) == [
        "10.0.0.0/8 over 10.0.0.254 through eth0", "10.0.1.1/32 through eth1",
      ])
    let exact = "ip=eth0:dhcp ip=eth1:dhcp rd.route=10.0.1.1/32:10.0.0.254:eth0"
    #expect(try routes(exact, to: ["10.0.1.1"], [first, second]) == ["10.0.1.1/32 over 10.0.0.254 through eth0"])
  }

  @Test("A link that comes late takes no target from the one over which its session goes")
  func fixed() throws {
    let target = try #require(IPAddress("10.9.0.1"))
    let text = "ip=eth0:dhcp ip=eth1:dhcp"
    let there = try report("eth0", "10.0.0.2/24", wasThere: true)
    let late = try report("eth1", "10.0.1.2/24", via: "10.0.1.254")
    var previous = BootRouting()
    previous.targets = [0: [target]]
    let present = ["10.9.0.1": "eth0"]
    #expect(
      try routes(text, to: ["10.9.0.1"], [there, late], present: present, after: previous) == [
        "10.9.0.1/32 over 10.0.1.254 through eth1"
      ])
    previous.isFixed = true
    #expect(try routes(text, to: ["10.9.0.1"], [there, late], present: present, after: previous) == [])
  }

  @Test("What is made already is not made again, and when sessions go over it not otherwise either")
  func changes() throws {
    let route = BootRoute(network: .v4(0x0A09_0000), prefixLength: 16, gateway: .v4(0x0A00_0001), device: "eth0")
    var other = route
    other.gateway = .v4(0x0A00_0101)
    var routing = BootRouting()
    routing.routes = [other]
    #expect(routing.changes(after: []) == [other] && routing.changes(after: [other]) == [])
    #expect(routing.changes(after: [route]) == [other])
    routing.isFixed = true
    #expect(routing.changes(after: [route]) == [] && routing.changes(after: []) == [other])
  }

  @Test("A route that the kernel has refused leads nowhere")
  func refusedRoute() throws {
    let far = BootRoute(network: .v4(0x0A09_0000), prefixLength: 16, gateway: .v4(0x0A00_0001), device: "eth0")
    let (near, lost) = (try #require(IPAddress("10.0.0.1")), try #require(IPAddress("10.9.0.1")))
    var routing = BootRouting()
    routing.routes = [far]
    routing.targets = [0: [near, lost]]
    routing.drop([far])
    #expect(routing.targets == [0: [near]] && routing.changes(after: []) == [])
  }

  @Test("A name that a device is still to get counts for routes, for targets, and for what sessions are bound to")
  func names() throws {
    let text =
      "ifname=san0:52:54:00:12:34:56 ip=10.0.0.2::10.0.0.254:24::san0:none ip=10.0.1.2::10.0.1.254:24::eth1:none "
      + "netroot=iscsi:10.9.0.1:::san:san0::iqn.2026-11.org.example:disk rd.route=10.8.0.0/16:10.0.0.253:san0"
    var input = BootPlan.Input(parameters: BootParameters(KernelCommandLine(text)))
    input.machineName = try InitiatorName("iqn.2026-11.org.example:machine")
    let plan = BootPlan(input)
    #expect(plan.problems == [] && plan.links.map(\.targets.count) == [1, 0] && plan.links[0].routes.count == 1)
    let reports = [0: try report("eth0", "10.0.0.2/24", via: "10.0.0.254"), 1: try report("eth1", "10.0.1.2/24")]
    let settled = plan.settled(reports)
    #expect(try #require(settled.logins.first).record.interface.networkDevice == "eth0")
    #expect(
      settled.routing(reports).routes.map(\.description) == [
        "10.8.0.0/16 over 10.0.0.253 through eth0", "10.9.0.1/32 over 10.0.0.254 through eth0",
        "0.0.0.0/0 over 10.0.0.254 through eth0",
      ])
  }

  @Test("A default route is made over a gateway that is named; over one that a server tells only if that is asked for")
  func defaultRoute() throws {
    let world = "0.0.0.0/0 over 10.0.0.254 through eth0"
    let leased = try report("eth0", "10.0.0.2/24", via: "10.0.0.254")
    let near = "10.0.0.1/32 through eth0"
    #expect(try routes("ip=eth0:dhcp", [leased]) == [near])
    #expect(try routes("ip=eth0:dhcp rd.iscsi.default_route=1", [leased]) == [near, world])
    #expect(try routes("ip=eth0:dhcp", [leased], defaultRoute: true) == [near, world])
    // What somebody else has set up has his default route.
    var found = leased
    found.wasThere = true
    #expect(try routes("ip=eth0:dhcp iscsi_default_route", [found], present: ["10.0.0.1": "eth0"]) == [])
  }

  @Test(
    "Name servers that are named are for the machine, those that a server tells only if that is asked for",
    arguments: [
      ("ip=eth0:dhcp", false), ("ip=eth0:dhcp nameserver=10.0.0.53", true), ("ip=eth0:dhcp rd.iscsi.dns", true),
      ("ip=10.0.0.2::10.0.0.254:24::eth0:none::10.0.0.53", true), ("ip=10.0.0.2:::24::eth0:none", false),
    ])
  func nameServers(_ text: String, _ wanted: Bool) {
    let line = KernelCommandLine("netroot=iscsi:10.0.0.1::::iqn.2026-11.org.example:disk " + text)
    #expect(BootPlan(BootPlan.Input(parameters: BootParameters(line))).wantsNames == wanted)
  }

  @Test("Devices that are made of others are not made here, which is told", arguments: ["bond", "bridge", "team"])
  func composed(_ name: String) {
    let problems = BootParameters(KernelCommandLine("\(name)=x0:eth0,eth1 ip=x0:dhcp")).problems
    #expect(problems.map(\.parameter) == [name] && problems[0].reason.contains("dracut's module network"))
  }

  @Test(
    "A VLAN has a device of its own, whose name is short enough for the kernel",
    arguments: [
      ("san0", 5, ["san0.5", "vlan5"]), ("enp129s0f1np", 22, ["enp129s0f1np.22", "vlan22"]),
      ("enp129s0f1np1", 22, ["vlan22"]), ("enp129s0f1np1s2", 4095, ["vlan4095"]),
    ] as [(String, UInt16, [String])])
  func vlan(device: String, number: UInt16, names: [String]) throws {
    let link = try BootLink(
      try entry {
        $0.ethernet.vlan = number
        $0.ethernet.device = device
      })
    #expect(link.vlan?.number == number && link.vlan?.names(on: device) == names)
  }

  @Test("Only addresses of the device that others can be reached from count")
  func addresses() throws {
    func message(_ text: String, index: UInt32 = 7, flags: UInt8 = 0x80, type: UInt16 = 20) throws -> NetlinkMessage {
      let address = try #require(IPAddress(text))
      var payload: [UInt8] = [address.isIPv6 ? 10 : 2, 24, flags, 0]
      payload.appendHostInteger(index)
      payload.appendAttribute(1, address.octets)
      return try #require(NetlinkMessage.messages(in: NetlinkMessage.request(type: type, payload)).first)
    }
    let found = AddressQuery.address(in: try message("10.0.0.2"), of: 7)
    #expect(found?.address == IPAddress("10.0.0.2") && found?.prefixLength == 24)
    for other in [
      try message("10.0.0.2", index: 8), try message("fd00::2", flags: 0x40), try message("fe80::2"),
      try message("10.0.0.2", type: 21),
    ] {
      #expect(AddressQuery.address(in: other, of: 7) == nil)
    }
  }

  /// What the kernel tells of a device on another one.
  private func link(
    _ kind: String = "vlan", number: UInt16 = 5, on link: UInt32 = 7, protocol name: [UInt8] = [0x81, 0],
    isElsewhere: Bool = false
  ) throws -> LinkQuery.VLAN? {
    var (tag, data, information) = ([UInt8](), [UInt8](), [UInt8]())
    tag.appendHostInteger(number)
    data.appendAttribute(1, tag)
    data.appendAttribute(5, name)
    information.appendAttribute(1, Array(kind.utf8) + [0])
    information.appendAttribute(2, data)
    var payload = [UInt8](repeating: 0, count: 16)
    payload.appendAttribute(5, number: link)
    payload.appendAttribute(18, information)
    if isElsewhere { payload.appendAttribute(37, number: 0) }
    let octets = NetlinkMessage.request(type: 16, payload)
    return LinkQuery.vlan(in: try #require(NetlinkMessage.messages(in: octets).first))
  }

  @Test("A device is known as a VLAN's by what it is, not by its name")
  func existing() throws {
    #expect(try link() == LinkQuery.VLAN(number: 5, link: 7))
    #expect(try link("macvlan") == nil && link(protocol: [0x88, 0xA8]) == nil && link(isElsewhere: true) == nil)
  }

  @Test("Only devices on the card are asked")
  func above() throws {
    let tree = try SysfsTree()
    for (name, index, below) in [("san0", 7, 7), ("storage", 9, 7), ("san0.5", 8, 7), ("lo", 1, 1), ("eth1.5", 10, 6)] {
      try tree.addNetworkDevice(name, "52:54:00:12:34:56")
      try tree.set("class/net/\(name)/ifindex", to: .text("\(index)"))
      try tree.set("class/net/\(name)/iflink", to: .text("\(below)"))
    }
    #expect(NetworkDevices(sysfs: tree.root).namesAbove(7) == ["san0.5", "storage"])
  }

  @Test("Without a prefix the netmask counts, and one of them has to be there")
  func prefix() throws {
    let own = try #require(IPAddress("10.0.0.2"))
    #expect(
      try BootLink(try entry { $0.ethernet.prefixLength = nil }).addressing == .fixed(own, prefixLength: 24, peer: nil))
    let without = try entry { ($0.ethernet.prefixLength, $0.ethernet.subnetMask) = (nil, nil) }
    #expect(throws: BootNetworkError.missing(field: "ibft/ethernet0/prefix-len", "netmask")) {
      try BootLink(without)
    }
    let tooLong = try entry { $0.ethernet.prefixLength = 64 }
    #expect(throws: BootNetworkError.self) { try BootLink(tooLong) }
    let nameless = try entry { $0.ethernet.address = nil }
    #expect(throws: BootNetworkError.missing(field: "ibft/ethernet0/ip-addr", "address")) {
      try BootLink(nameless)
    }
    let leased = try entry { ($0.ethernet.address, $0.ethernet.origin) = (nil, 3) }
    #expect(try BootLink(leased).addressing == .dhcp(isIPv6: false))
  }

  @Test("IPv6 goes by its prefix")
  func ipv6() throws {
    let link = try BootLink(
      try entry {
        $0.ethernet.address = FirmwareAddress("fd00:0000:0000:0000:0000:0000:0000:0002")
        $0.ethernet.subnetMask = FirmwareAddress("255.255.255.255")
        $0.ethernet.prefixLength = 64
        $0.ethernet.gateway = FirmwareAddress("fd00:0000:0000:0000:0000:0000:0000:0001")
        $0.target.address = try #require(FirmwareAddress("fd00:0000:0000:0001:0000:0000:0000:0001"))
      })
    let own = try #require(IPAddress("fd00::2"))
    #expect(link.addressing == .fixed(own, prefixLength: 64, peer: nil))
    #expect(!link.isNear(link.targets[0]) && link.gateway(for: link.targets[0]) == IPAddress("fd00::1"))
  }

  @Test("Requests are as the kernel reads them")
  func requests() throws {
    func message(_ octets: [UInt8]) throws -> NetlinkMessage {
      try #require(NetlinkMessage.messages(in: octets).first)
    }
    let up = try message(NetworkChangeRequest.up(7))
    #expect(up.type == 16 && up.fixed(at: 4, as: UInt32.self) == 7)
    #expect(up.fixed(at: 8, as: UInt32.self) == 1 && up.fixed(at: 12, as: UInt32.self) == 1)

    let own = try #require(IPAddress("10.0.0.2"))
    let address = try message(NetworkChangeRequest.address(own, prefixLength: 24, on: 7))
    #expect(address.type == 20 && Array(address.payload.prefix(4)) == [2, 24, 0, 0])
    let attributes = try #require(address.attributes(after: 8))
    #expect(attributes[2].map { Array($0) } == [10, 0, 0, 2] && attributes[4].map { Array($0) } == [10, 0, 0, 255])

    let removal = try message(NetworkChangeRequest.removal(of: own, prefixLength: 24, on: 7))
    #expect(removal.type == 21 && Array(removal.payload.prefix(4)) == [2, 24, 0, 0])
    #expect(removal.attributes(after: 8)?[2].map { Array($0) } == [10, 0, 0, 2])

    let ownV6 = try #require(IPAddress("fd00::2"))
    // Usable at once: IFA_F_NODAD.
    let sixth = try message(NetworkChangeRequest.address(ownV6, prefixLength: 64, on: 7))
    #expect(Array(sixth.payload.prefix(4)) == [10, 64, 2, 0] && sixth.attributes(after: 8)?[4] == nil)
    let peer = try #require(IPAddress("10.9.9.9"))
    let pointToPoint = try message(NetworkChangeRequest.address(own, prefixLength: 32, peer: peer, on: 7))
    #expect(pointToPoint.attributes(after: 8)?[1].map { Array($0) } == [10, 9, 9, 9])

    let mtu = try message(NetworkChangeRequest.mtu(9000, of: 7))
    #expect(mtu.type == 16 && mtu.attributes(after: 16)?.number(4, as: UInt32.self) == 9000)
    let mac = try #require(HardwareAddress("52:54:00:12:34:56"))
    let card = try message(NetworkChangeRequest.hardwareAddress(mac, of: 7))
    #expect(card.attributes(after: 16)?[1].map { Array($0) } == [0x52, 0x54, 0, 0x12, 0x34, 0x56])
    let standard = try message(NetworkChangeRequest.route(to: .v4(0), prefixLength: 0, over: own, on: 7))
    #expect(standard.fixed(at: 1, as: UInt8.self) == 0 && standard.attributes(after: 12)?[1] == nil)

    let target = try #require(IPAddress("10.0.1.1")), gateway = try #require(IPAddress("10.0.0.1"))
    let far = try message(NetworkChangeRequest.route(to: target, over: gateway, on: 7))
    #expect(far.type == 24 && Array(far.payload.prefix(8)) == [2, 32, 0, 0, 254, 3, 0, 1])
    let way = try #require(far.attributes(after: 12))
    #expect(way[1].map { Array($0) } == [10, 0, 1, 1] && way[5].map { Array($0) } == [10, 0, 0, 1])
    #expect(way.number(4, as: UInt32.self) == 7)
    let near = try message(NetworkChangeRequest.route(to: target, over: nil, on: 7))
    #expect(near.fixed(at: 6, as: UInt8.self) == 253 && near.attributes(after: 12)?[5] == nil)

    let vlan = try message(NetworkChangeRequest.vlan(5, named: "san0.5", on: 7))
    let device = try #require(vlan.attributes(after: 16))
    #expect(device.text(3) == "san0.5" && device.number(5, as: UInt32.self) == 7)
    let kind = NetlinkAttributes(try #require(device[18]))
    #expect(kind.text(1) == "vlan")
    #expect(NetlinkAttributes(try #require(kind[2])).number(1, as: UInt16.self) == 5)
  }
}
