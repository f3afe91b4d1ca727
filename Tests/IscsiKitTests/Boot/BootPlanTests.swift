// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("The plan of a boot")
struct BootPlanTests {
  private func input(
    _ commandLine: String, firmware: Bool = false, change: (inout FirmwareBoot) throws -> Void = { _ in },
    rootPaths: [String] = []
  ) throws -> BootPlan.Input {
    var boots: [FirmwareBoot] = []
    if firmware {
      let tree = try SysfsTree()
      try tree.addFirmware()
      boots = try FirmwareReader(sysfs: Sysfs(root: tree.root)).boots()
      try change(&boots[0])
    }
    var input = BootPlan.Input(
      parameters: BootParameters(KernelCommandLine(commandLine)), firmware: boots,
      machineName: try InitiatorName("iqn.2026-11.org.example:machine"))
    input.rootPaths = rootPaths
    return input
  }

  /// A plan in a few words a line: `net DEVICE METHOD -> TARGETS`, `login TARGET PORTAL`.
  private func words(_ plan: BootPlan) -> [String] {
    plan.links.map { link in
      let method =
        switch link.addressing {
        case .fixed(let address, let length, _): "\(address)/\(length)"
        case .dhcp: "dhcp"
        case .routerAdvertisement: "auto6"
        case .firmware: "ibft"
        case .linkOnly: "none"
        }
      let vlan = link.vlan.map { ".\($0.number)" } ?? ""
      let targets = link.targets.map(\.description).joined(separator: " ")
      return "net \(link.device)\(vlan) \(method)\(link.isFallback ? "?" : "") -> \(targets)"
    } + plan.logins.map { "login \($0.record.target.description.suffix(9)) \($0.record.portal)" }
      + (plan.awaitsRootPath ? ["root path"] : [])
  }

  private static let one = "netroot=iscsi:10.0.0.1::::iqn.2026-11.org.example:disk"

  @Test(
    "Parameters come to links and logins",
    arguments: [
      (one, ["net any network device dhcp? -> 10.0.0.1", "login mple:disk 10.0.0.1:3260,1"]),
      (
        one + " BOOTIF=01-52-54-00-12-34-56",
        ["net 52:54:00:12:34:56 dhcp? -> 10.0.0.1", "login mple:disk 10.0.0.1:3260,1"]
      ),
      (
        one + " ip=10.0.0.2::10.0.0.1:24::eth0:none",
        ["net eth0 10.0.0.2/24 -> 10.0.0.1", "login mple:disk 10.0.0.1:3260,1"]
      ),
      (
        one
          + " ip=10.0.0.2:::24::eth0:none ip=10.0.1.2:::24::eth1:none netroot=iscsi:10.0.1.1::3261::iqn.2026-11.org.example:disk",
        [
          "net eth0 10.0.0.2/24 -> 10.0.0.1", "net eth1 10.0.1.2/24 -> 10.0.1.1", "login mple:disk 10.0.0.1:3260,1",
          "login mple:disk 10.0.1.1:3261,1",
        ]
      ),
      (
        one + " vlan=san:eth0 vlan=eth0.5:eth0 ip=10.0.0.2:::24::eth0.5:none",
        ["net eth0.5 10.0.0.2/24 -> 10.0.0.1", "login mple:disk 10.0.0.1:3260,1"]
      ),
      (
        one + " ifname=san0:52:54:00:12:34:56 ip=san0:dhcp",
        ["net 52:54:00:12:34:56 dhcp -> 10.0.0.1", "login mple:disk 10.0.0.1:3260,1"]
      ),
      (
        "netroot=iscsi:[fd00::1]::::iqn.2026-11.org.example:disk",
        ["net any network device auto6? -> fd00::1", "login mple:disk [fd00::1]:3260,1"]
      ),
      (
        "iscsi_target_name=iqn.2026-11.org.example:disk iscsi_target_ip=\"10.0.0.1 10.0.1.1\" iscsi_target_group=3 ip=dhcp",
        [
          "net any network device dhcp -> 10.0.0.1 10.0.1.1", "login mple:disk 10.0.0.1:3260,3",
          "login mple:disk 10.0.1.1:3260,3",
        ]
      ),
      (
        "netroot=iscsi::::1:iqn.2026-11.org.example:disk iscsi_target_ip=10.0.0.7 ip=none",
        ["net any network device none -> ", "login mple:disk 10.0.0.7:3260,1"]
      ),
      ("netroot=dhcp", ["net any network device dhcp -> ", "root path"]), ("quiet", []),
    ] as [(String, [String])])
  func parameters(text: String, wanted: [String]) throws {
    #expect(words(BootPlan(try input(text))) == wanted)
  }

  @Test("What a DHCP server tells becomes a login")
  func rootPath() throws {
    let told = "iscsi:10.0.0.1:6:3260:1:iqn.2026-11.org.example:disk"
    let plan = BootPlan(try input("root=dhcp ip=eth0:dhcp", rootPaths: [told]))
    #expect(words(plan) == ["net eth0 dhcp -> 10.0.0.1", "login mple:disk 10.0.0.1:3260,1"])
    #expect(plan.logins[0].lun == LUN(number: 1))
    let odd = BootPlan(try input("root=dhcp", rootPaths: ["nfs:/export"]))
    #expect(odd.hasOtherRootPath && !plan.hasOtherRootPath && plan.links[0].wantsRootPath)
    #expect(odd.awaitsRootPath && odd.problems.map(\.parameter) == ["root-path"])
  }

  @Test("Firmware is used where nothing else names a target, or where it is asked for")
  func firmware() throws {
    let all = [
      "net san0 10.0.0.2/24 -> 10.0.0.1", "login mple:disk 10.0.0.1:3260,1", "login disk-chap 10.0.0.1:3260,1",
    ]
    #expect(words(BootPlan(try input("quiet", firmware: true))) == all)
    #expect(words(BootPlan(try input("rd.iscsi.firmware=1", firmware: true))) == all)
    #expect(BootPlan(try input("rd.iscsi.firmware=0", firmware: true)).isEmpty)
    let other = "netroot=iscsi:10.0.0.9::::iqn.2026-11.org.example:disk"
    #expect(
      words(BootPlan(try input(other + " ip=ibft", firmware: true))) == [
        "net san0 10.0.0.2/24 -> 10.0.0.9", "login mple:disk 10.0.0.9:3260,1",
      ])
    #expect(
      words(BootPlan(try input("iscsi_auto ip=10.0.0.77:::24::san0:none", firmware: true))) == [
        "net san0 10.0.0.77/24 -> 10.0.0.1", all[1], all[2],
      ])
  }

  @Test("What parameters tell of a target of the firmware goes before what the firmware has of it")
  func firmwareAndParameters() throws {
    let plan = BootPlan(
      try input(
        "rd.iscsi.firmware=1 netroot=iscsi:bob:builder12345@10.0.0.1:::7:iqn.2026-11.org.example:disk-chap",
        firmware: true))
    #expect(plan.logins.map(\.source) == ["ibft/target0", "netroot"])
    #expect(plan.logins[1].record.authentication.secret == Secret("builder12345"))
    #expect(plan.logins[1].lun == LUN(number: 7) && plan.logins[1].isNeeded)
    #expect(plan.logins[1].record.interface.initiatorName == "iqn.2026-11.org.example:boot")
    let plain = BootPlan(
      try input("rd.iscsi.firmware=1 netroot=iscsi:10.0.0.1::::iqn.2026-11.org.example:disk-chap", firmware: true))
    #expect(plain.logins[1].record.authentication.name != nil)
  }

  @Test("An interface that is mistyped does not become DHCP on another one")
  func mistyped() throws {
    #expect(BootPlan(try input(Self.one + " ip=10.0.0.300:::24::eth0:none")).links == [])
    #expect(BootPlan(try input("root=dhcp ip=10.0.0.300:::24::eth0:none")).links.count == 1)
  }

  @Test(
    "It is known whether a boot is wanted of which nothing can be made",
    arguments: [("quiet", false), ("netroot=iscsi:nowhere", true), ("rd.iscsi.firmware=1", true), ("root=dhcp", true)])
  func asked(text: String, wanted: Bool) throws {
    let plan = BootPlan(try input(text))
    #expect(plan.isAskedFor == wanted)
  }

  @Test("A firmware with a mistake in it asks for a boot, unless it is left alone")
  func brokenFirmware() throws {
    let breaking: (inout FirmwareBoot) throws -> Void = { boot in
      boot.targets = []
      boot.problems = [FirmwareError(field: "ibft/target0/target-name", reason: "missing")]
    }
    #expect(BootPlan(try input("quiet", firmware: true, change: breaking)).isAskedFor)
    #expect(!BootPlan(try input("rd.iscsi.firmware=0", firmware: true, change: breaking)).isAskedFor)
    #expect(!BootPlan(try input("quiet", firmware: true) { ($0.targets, $0.problems) = ([], []) }).isAskedFor)
  }

  @Test("Firmware's targets that it has not booted with are not needed, and its name goes before the machine's")
  func firmwareLogins() throws {
    let plan = BootPlan(try input("quiet", firmware: true))
    #expect(plan.logins.map(\.isNeeded) == [true, false])
    #expect(plan.logins[0].record.interface.initiatorName == "iqn.2026-11.org.example:boot")
    #expect(plan.logins[0].lun == LUN(number: 1) && plan.logins[0].source == "ibft/target0")
    let named = BootPlan(try input("rd.iscsi.initiator=iqn.2026-11.org.example:me", firmware: true))
    #expect(named.logins[0].record.interface.initiatorName == "iqn.2026-11.org.example:me")
    // A card whose driver is still to come.
    let late = BootPlan(try input("quiet", firmware: true) { $0.ethernets[0].device = nil })
    #expect(late.links[0].device == .hardwareAddress(try #require(HardwareAddress("52:54:00:12:34:56"))))
    let leased = BootPlan(
      try input("quiet", firmware: true) { ($0.ethernets[0].address, $0.ethernets[0].origin) = (nil, 3) })
    #expect(leased.links[0].addressing == .dhcp(isIPv6: false))
    let broken = BootPlan(try input("quiet", firmware: true) { $0.ethernets[0].address = nil })
    #expect(broken.links == [] && broken.problems.map(\.parameter) == ["ibft/ethernet0/ip-addr"])
    #expect(broken.logins.count == 2)
  }

  @Test("A session gets the profile diskless unless it is told otherwise")
  func settings() throws {
    func request(_ text: String) throws -> LoginRequest {
      try #require(BootPlan(try input(Self.one + " " + text)).logins.first).request()
    }
    let usual = try request("").options
    #expect(usual.timeouts.noopInterval == .zero && usual.timeouts.replacement == .seconds(86_400))
    #expect(usual.devices == DeviceSettings(timeout: 90, scheduler: IOScheduler.none))
    #expect(usual.timeouts.loginRetryWindow == .seconds(900))
    let plain = try request("rd.iscsi.profile=default rd.iscsi.login_retry_max=2").options
    #expect(plain.timeouts.noopInterval == .seconds(5) && plain.timeouts.replacement == .seconds(120))
    #expect(plain.devices.timeout == 30 && plain.timeouts.loginRetryWindow == .seconds(60))
    let own = try request(
      "rd.iscsi.param=node.session.timeo.replacement_timeout=77 rd.iscsi.param=device-timeout=33 "
        + "rd.iscsi.param=node.conn[0].iscsi.HeaderDigest=CRC32C"
    ).options
    #expect(
      own.timeouts.replacement == .seconds(77) && own.devices.timeout == 33 && own.operational.headerDigest == [.crc32c]
    )
    let wrong = BootPlan(
      try input(Self.one + " rd.iscsi.param=node.none=1 rd.iscsi.param=node.session.auth.password="))
    #expect(wrong.problems.map(\.parameter) == ["node.none"] && wrong.logins.count == 1)
  }

  @Test("Credentials go to the targets that have none of their own")
  func credentials() throws {
    let plan = BootPlan(
      try input(
        "rd.iscsi.username=alice rd.iscsi.password=wonderland12 netroot=iscsi:10.0.0.1::::iqn.2026-11.org.example:a "
          + "netroot=iscsi:bob:builder@10.0.0.1::::iqn.2026-11.org.example:b"))
    #expect(plan.logins.map(\.record.authentication.name) == ["alice", "bob"])
    #expect(plan.logins.map(\.record.authentication.secret) == [Secret("wonderland12"), Secret("builder")])
  }

  @Test("A name without a secret is told, wherever it stands")
  func missingSecret() throws {
    #expect(BootPlan(try input(Self.one + " iscsi_username=alice")).problems.map(\.parameter) == ["iscsi_username"])
    let later = BootPlan(
      try input(Self.one + " iscsi_username=alice rd.iscsi.param=node.session.auth.password=wonderland12"))
    #expect(later.problems == [] && later.logins[0].record.authentication.secret == Secret("wonderland12"))
  }

  @Test(
    "Where nothing else says how the network is set up, the image of initramfs-tools does",
    arguments: [
      ("DEVICE=eth1", "", "net eth1 dhcp? -> 10.0.0.1"),
      ("DEVICE=\nIP=", "", "net any network device dhcp? -> 10.0.0.1"),
      ("IP=10.0.0.2::10.0.0.1:255.255.255.0::eth1:off", "", "net eth1 10.0.0.2/24 -> 10.0.0.1"),
      ("DEVICE=eth1\nIP=10.0.0.2:::24", "", "net eth1 10.0.0.2/24 -> 10.0.0.1"),
      ("DEVICE=eth1", "BOOTIF=01-52-54-00-12-34-56", "net 52:54:00:12:34:56 dhcp? -> 10.0.0.1"),
      ("DEVICE=eth1\nIP=off", "", "net eth1 none -> "), ("DEVICE=eth1", "ip=eth0:dhcp", "net eth0 dhcp -> 10.0.0.1"),
    ])
  func configured(_ configuration: String, _ commandLine: String, _ wanted: String) throws {
    var input = try input(Self.one + " " + commandLine)
    var settings = BootParameters()
    settings.takeConfiguration([("a", "MODULES=most\nDEVICE=other"), ("b", configuration)])
    input.parameters = input.parameters.over(settings)
    let plan = BootPlan(input)
    #expect(words(plan).first == wanted && plan.problems == [])
  }

  @Test("What images are configured with does not go before the network of firmware, and what is wrong in it is told")
  func configuredBeside() throws {
    var input = try input("quiet", firmware: true)
    input.parameters.takeConfiguration([("a", "DEVICE=eth1")])
    #expect(words(BootPlan(input)).first == "net san0 10.0.0.2/24 -> 10.0.0.1")
    input.parameters.takeConfiguration([("a", "IP=eth1:dhcp"), ("b", "IP=10.0.0.300")])
    #expect(input.parameters.problems.map(\.parameter) == ["b: IP"])
    input.parameters.takeConfiguration([("a", "IP=dhcp"), ("b", "DEVICE=eth/1")])
    #expect(input.parameters.problems.map(\.parameter) == ["b: IP", "b: DEVICE"])
  }

  @Test("The firmware's table is looked for where it may have the name that nobody else has")
  func firmwareName() throws {
    var named = try input(Self.one)
    #expect(!named.wantsFirmwareTable)
    named.machineName = nil
    #expect(named.wantsFirmwareTable)
    named.parameters.initiator = try InitiatorName("iqn.2026-11.org.example:me")
    #expect(!named.wantsFirmwareTable)
    #expect(try input("quiet").wantsFirmwareTable && input(Self.one + " ip=ibft").wantsFirmwareTable)
    var table = try input(Self.one, firmware: true)
    table.machineName = nil
    #expect(BootPlan(table).logins.map(\.record.interface.initiatorName) == ["iqn.2026-11.org.example:boot"])
  }

  @Test("Without a name of ours nobody logs in, and it is told what helps")
  func nameless() throws {
    var input = try input(Self.one)
    input.machineName = nil
    let plan = BootPlan(input)
    #expect(plan.lacksInitiatorName && plan.isAskedFor)
    #expect(plan.isEmpty && plan.problems.count == 1 && plan.problems[0].reason.contains("iscsi_initiator="))
  }

  @Test("A network device that the target names is what the session is bound to")
  func bound() throws {
    let plan = BootPlan(
      try input(
        "netroot=iscsi:10.0.0.1::::san1:0:iqn.2026-11.org.example:disk ip=10.0.0.2:::24::san0:none ip=10.0.0.3:::24::san1:none"
      ))
    #expect(plan.links.map(\.targets.count) == [0, 1])
    #expect(try plan.logins[0].request().options.binding == .device("san1"))
  }

  @Test("A target's name in none of the formats is told, and logged in to")
  func nameWithoutFormat() throws {
    let plan = BootPlan(
      try input(
        "rd.iscsi.target.name=iqn.202-11.org.example:disk rd.iscsi.target.ip=10.0.0.1 rd.iscsi.target.ip=10.0.0.1"))
    #expect(plan.logins.map(\.record.target.description) == ["iqn.202-11.org.example:disk"])
    #expect(
      plan.problems.map(\.description) == [
        "iscsi_target_name: iqn.202-11.org.example:disk: the name is in none of the formats of RFC 7143 (iqn., eui., naa.)"
      ])
  }

  @Test("Routes go to the device that they lead through")
  func routes() throws {
    let plan = BootPlan(
      try input(
        Self.one + " ip=10.0.0.2:::24::san0:none ip=10.0.1.2:::24::san1:none rd.route=10.9.0.0/16:10.0.1.1 "
          + "rd.route=10.8.0.0/16:10.0.0.1:san0 rd.route=10.7.0.0/16:10.0.0.1:san7"))
    #expect(plan.links.map { $0.routes.map(\.network.description) } == [["10.8.0.0"], ["10.9.0.0"]])
    #expect(plan.problems.map(\.parameter) == ["rd.route"])
  }

  @Test(
    "Firmware that is asked for and is not there is told",
    arguments: [
      ("rd.iscsi.firmware=1", ["rd.iscsi.firmware"]), ("iscsi_auto", ["rd.iscsi.firmware"]), ("quiet", []),
      ("rd.iscsi.firmware=0", []), (one + " ip=ibft", ["ip=ibft"]),
    ])
  func noFirmware(commandLine: String, wanted: [String]) throws {
    let plan = BootPlan(try input(commandLine))
    #expect(plan.problems.map(\.parameter) == wanted)
    #expect(plan.problems.allSatisfy { $0.reason.contains("this kernel shows no table (iBFT)") })
    #expect(BootPlan(try input(commandLine, firmware: true)).problems == [])
  }
}

@Suite("When the logins of a boot are enough")
struct BootGoalTests {
  private func login(_ name: String, isNeeded: Bool = true) throws -> BootLogin {
    let target = try TargetName("iqn.2026-11.org.example:\(name)")
    var login = BootLogin(source: "x", record: NodeRecord(target: target, portal: try Portal("10.0.0.1")))
    login.isNeeded = isNeeded
    return login
  }

  @Test("One way to each target that is needed will do")
  func ways() throws {
    var goal = BootGoal([try login("a"), try login("a"), try login("b"), try login("c", isNeeded: false)])
    #expect(!goal.isReached)
    goal.reach(1)
    #expect(!goal.isOver)
    #expect(!goal.isReached && !goal.misses(0) && goal.misses(2) && !goal.misses(3))
    goal.reach(2)
    #expect(goal.isReached && !goal.misses(2))
  }

  @Test("Where none is needed more than others, all are")
  func all() throws {
    var goal = BootGoal([try login("a", isNeeded: false), try login("b", isNeeded: false)])
    goal.reach(0)
    #expect(!goal.isReached && goal.misses(1))
  }

  @Test("A target that nobody can log in to is missed, and not waited for")
  func refused() throws {
    var goal = BootGoal([try login("a"), try login("b"), try login("a")])
    goal.refuse(1)
    goal.refuse(2)
    #expect(!goal.isOver)
    goal.reach(0)
    #expect(goal.isOver && !goal.isReached && goal.misses(1) && !goal.misses(2))
  }

  @Test("Where all targets are ways to the same disks, one will do")
  func multipath() throws {
    var goal = BootGoal([try login("a"), try login("b")], isMultipath: true)
    #expect(!goal.isReached && goal.misses(0))
    goal.reach(1)
    #expect(goal.isReached && !goal.misses(0))
    #expect(BootParameters(KernelCommandLine("rd.iscsi.mp=1")).isMultipath)
  }
}
