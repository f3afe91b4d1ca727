// SPDX-License-Identifier: Apache-2.0
import Glibc
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("The record database")
struct RecordDatabaseTests {
  private let files: TemporaryDatabase
  private var database: RecordDatabase { files.database }

  init() throws { files = try TemporaryDatabase() }

  private func names(_ filter: RecordDatabase.NodeFilter = .init()) throws -> [String] {
    try database.nodes(filter).records.map {
      "\($0.record.target.description.dropFirst("iqn.2026-11.org.example:".count)) \($0.record.portal) "
        + $0.record.interface.name.description
    }
  }

  @Test("A record has the place, the link and the permissions that open-iscsi gives it")
  func layout() throws {
    try files.save(.example())
    #expect(
      try files.entries() == [
        "nodes/", "nodes/iqn.2026-11.org.example:disk/",
        "nodes/iqn.2026-11.org.example:disk/10.0.0.1,3260,1/",
        "nodes/iqn.2026-11.org.example:disk/10.0.0.1,3260,1/default", "static/",
        "static/iqn.2026-11.org.example:disk,10.0.0.1,3260,1,default -> "
          + "ROOT/nodes/iqn.2026-11.org.example:disk/10.0.0.1,3260,1",
      ])
    #expect(files.mode("nodes/iqn.2026-11.org.example:disk/10.0.0.1,3260,1/default") == 0o600)
    #expect(files.mode("nodes/iqn.2026-11.org.example:disk/10.0.0.1,3260,1") == 0o700)
    #expect(files.mode("nodes") == 0o700)
    let text = try files.read("nodes/iqn.2026-11.org.example:disk/10.0.0.1,3260,1/default")
    #expect(text.hasPrefix("# BEGIN RECORD 2.1.8\nnode.name = iqn.2026-11.org.example:disk\nnode.tpgt = 1\n"))
    #expect(text.hasSuffix("\n# END RECORD\n"))
  }

  @Test("A record that is changed stays readable by whom it was, and one that is made anew does not")
  func permissions() throws {
    let file = "nodes/iqn.2026-11.org.example:disk/10.0.0.1,3260,1/default"
    try files.save(.example())
    for (isNew, mode) in [(false, 0o640), (true, 0o600)] as [(Bool, UInt32)] {
      // The string is lent to the call.
      try #require(unsafe chmod(files.root.appending(file).string, 0o640) == 0)
      let stored = try #require(try database.nodes().records.first)
      try database.change { changes throws(DatabaseError) in
        changes.save(stored.record, over: stored, isNew: isNew)
      }
      #expect(files.mode(file) == mode)
    }
  }

  @Test("A record without a tag is a file; when the tag is known it is replaced by one of the newer form")
  func olderForm() throws {
    try files.save(.example(at: "10.0.0.1:3260"))
    #expect(
      try files.entries() == [
        "nodes/", "nodes/iqn.2026-11.org.example:disk/", "nodes/iqn.2026-11.org.example:disk/10.0.0.1,3260",
      ])
    let stored = try #require(try database.nodes().records.first)
    #expect(stored.record.portal.tag == nil)
    try files.save(.example(at: "10.0.0.1:3260,7"))
    #expect(
      try files.entries().filter { $0.hasPrefix("nodes") } == [
        "nodes/", "nodes/iqn.2026-11.org.example:disk/", "nodes/iqn.2026-11.org.example:disk/10.0.0.1,3260,7/",
        "nodes/iqn.2026-11.org.example:disk/10.0.0.1,3260,7/default",
      ])
    #expect(try names() == ["disk 10.0.0.1:3260,7 default"])
  }

  @Test("Records are listed by target, portal and interface, and a filter lets through what it names")
  func filters() throws {
    var bound = try NodeRecord.example("b", at: "[fe80::1%eth0]:3261,2")
    bound.interface.name = try #require(InterfaceName("10.0.0.1:3260:volume"))
    try files.save(
      .example("c"), .example("b"), bound, .example("b", at: "10.0.0.2:3260,1"), .example("a", at: "host:1"))
    let all = [
      "a host:1 default", "b 10.0.0.1:3260,1 default", "b 10.0.0.2:3260,1 default",
      "b [fe80::1%eth0]:3261,2 10.0.0.1:3260:volume", "c 10.0.0.1:3260,1 default",
    ]
    #expect(try names() == all)
    #expect(try names(.init(target: bound.target)) == Array(all[1...3]))
    #expect(try names(.init(host: PortalHost("10.0.0.1"))) == [all[1], all[4]])
    #expect(try names(.init(host: PortalHost("FE80:0::1%eth0"))) == [all[3]])
    #expect(try names(.init(port: 3261)) == [all[3]])
    #expect(try names(.init(interface: bound.interface.name)) == [all[3]])
    #expect(try names(.init(target: TargetName("iqn.2026-11.org.example:d"))) == [])
    #expect(try names(.init(interface: .standard)).count == 4)
  }

  @Test("A file that is no record is told of, and hides no other")
  func problems() throws {
    try files.save(.example("a"), .example("z"))
    let good = try files.read("nodes/iqn.2026-11.org.example:a/10.0.0.1,3260,1/default")
    try files.write("", to: "nodes/iqn.2026-11.org.example:b/10.0.0.1,3260,1/default")
    try files.write("# BEGIN RECORD\n", to: "nodes/iqn.2026-11.org.example:c/10.0.0.1,3260")
    try files.write("what", to: "nodes/iqn.2026-11.org.example:a/README")
    try files.write("what", to: "nodes/stray")
    try files.write(good, to: "nodes/iqn.2026-11.org.example:other/10.0.0.1,3260,1/default")
    try files.write(
      good.replacing("\nnode.startup = manual", with: "\nnode.startup = sometimes"),
      to: "nodes/iqn.2026-11.org.example:a/10.0.0.1,3260,1/odd")
    let listing = try database.nodes()
    #expect(listing.records.map(\.record.target.description).map { $0.suffix(1) } == ["a", "a", "z"])
    #expect(listing.records.map(\.record.startup) == [.manual, .manual, .manual])
    #expect(
      listing.problems.map(\.description) == [
        "nodes/iqn.2026-11.org.example:a/10.0.0.1,3260,1/odd has a value that is not used: node.startup must be manual, automatic "
          + "or onboot",
        "nodes/iqn.2026-11.org.example:a/README is no record: it does not belong there",
        "nodes/iqn.2026-11.org.example:b/10.0.0.1,3260,1/default is no record: it is empty",
        "nodes/iqn.2026-11.org.example:c/10.0.0.1,3260 is no record: it is empty",
        "nodes/iqn.2026-11.org.example:other/10.0.0.1,3260,1/default is no record: it names another target or "
          + "interface than its place does", "nodes/stray is no record: it does not belong there",
      ])
    // What names one record does not look at the others.
    #expect(try database.nodes(.init(target: TargetName("iqn.2026-11.org.example:z"))).problems == [])
  }

  @Test("A record in the older form goes when the one beside it is written, and stays when only others are")
  func besideOlderForm() throws {
    try files.save(.example("a", at: "10.0.0.1:3260"))
    let text = try files.read("nodes/iqn.2026-11.org.example:a/10.0.0.1,3260")
    try files.save(.example("a", at: "10.0.0.1:3260,1"))
    try files.save(.example("a", at: "10.0.0.2:3260,1"))
    try files.write(text, to: "nodes/iqn.2026-11.org.example:a/10.0.0.1,3260")
    for (host, names) in [("10.0.0.2", ["10.0.0.1,3260", "10.0.0.1,3260,1"]), ("10.0.0.1", ["10.0.0.1,3260,1"])] {
      try database.change { (changes) throws(DatabaseError) in
        for stored in try database.nodes().records where "\(stored.record.portal.host)" == host && !stored.isInOlderForm
        {
          var record = stored.record
          record.queueDepth = 7
          changes.save(record, over: stored)
        }
      }
      let found = try files.entries().filter {
        $0.contains("10.0.0.1") && !$0.hasSuffix("default") && !$0.contains(" -> ")
      }
      #expect(Set(found.compactMap { $0.split(separator: "/").last.map(String.init) }) == Set(names))
    }
  }

  @Test("Symbolic links in the place of folders and records are not followed")
  func links() throws {
    try files.save(.example("a"))
    let outside = files.base.appending("outside")
    try AtomicFile.makeDirectory(outside)
    let nodes = try Directory(path: files.root.appending("nodes"))
    try nodes.makeLink("iqn.2026-11.org.example:linked", to: outside.string)
    try nodes.directory("iqn.2026-11.org.example:a").directory("10.0.0.1,3260,1").makeLink("link", to: "/etc/passwd")
    let listing = try database.nodes()
    #expect(listing.records.count == 1)
    #expect(listing.problems.map(\.reason) == [.stray, .stray])
    #expect(throws: DatabaseError.self) { try files.save(.example("linked")) }
    #expect(try Directory(path: outside).names() == [])
  }

  @Test("What others have in a record stays when it is changed")
  func foreignKeys() throws {
    try files.save(.example())
    let path = "nodes/iqn.2026-11.org.example:disk/10.0.0.1,3260,1/default"
    let old = try files.read(path)
    try files.write(
      old.replacing("node.session.scan = auto", with: "# mine\nnode.session.fancy = 1\nnode.session.scan = auto"),
      to: path)
    let stored = try #require(try database.nodes().records.first)
    var record = stored.record
    try record.set("node.startup", to: "automatic")
    try database.change { (changes) throws(DatabaseError) in changes.save(record, over: stored) }
    let new = try files.read(path)
    #expect(new.contains("\n# mine\nnode.session.fancy = 1\nnode.session.scan = auto\n"))
    #expect(new.contains("\nnode.startup = automatic\n"))
  }

  @Test("A removed record takes its link and the folders with it that are empty then")
  func removal() throws {
    try files.save(.example(), .example(at: "10.0.0.2:3260,1"))
    let stored = try database.nodes(.init(host: PortalHost("10.0.0.2"))).records
    try database.change { (changes) throws(DatabaseError) in stored.forEach { changes.delete($0) } }
    #expect(try names() == ["disk 10.0.0.1:3260,1 default"])
    let last = try database.nodes().records
    try database.change { (changes) throws(DatabaseError) in last.forEach { changes.delete($0) } }
    #expect(try files.entries() == ["nodes/", "static/"])
    // Somebody else was quicker: that is no error.
    try database.change { (changes) throws(DatabaseError) in last.forEach { changes.delete($0) } }
  }

  @Test("Many changes at once are made like few")
  func many() throws {
    let records = try (0..<100).map { try NodeRecord.example("many-\($0)") }
    try database.change { (changes) throws(DatabaseError) in records.forEach { changes.save($0) } }
    #expect(try database.nodes().records.count == 100)
    #expect(try files.entries().contains { $0.hasPrefix(".iscsi-admin") } == false)
  }

  @Test("Thousands of records are read in the database's order, changed and removed")
  func thousands() throws {
    let targets = (0..<1100).map { "disk\(1000 + $0)" }
    try database.change { changes throws(DatabaseError) in
      for target in targets { if let record = try? NodeRecord.example(target) { changes.save(record) } }
    }
    for target in [targets[3], targets[1050]] {
      try files.write("", to: "nodes/iqn.2026-11.org.example:\(target)/stray")
    }
    #expect(try names() == targets.map { "\($0) 10.0.0.1:3260,1 default" })
    let problems = try database.nodes().problems.map(\.path)
    #expect(problems == [targets[3], targets[1050]].map { "nodes/iqn.2026-11.org.example:\($0)/stray" })
    let stored = try database.nodes().records
    try database.change { changes throws(DatabaseError) in
      for var record in stored {
        record.record.queueDepth = 7
        changes.save(record.record, over: record)
      }
    }
    #expect(try database.nodes().records.map(\.record.queueDepth) == targets.map { _ in 7 })
    #expect(try names() == targets.map { "\($0) 10.0.0.1:3260,1 default" })
    try database.change { changes throws(DatabaseError) in stored.forEach { changes.delete($0) } }
    let left = [targets[3], targets[1050]].map { "nodes/iqn.2026-11.org.example:\($0)/" }
    #expect(try files.entries() == ["nodes/"] + left.flatMap { [$0, $0 + "stray"] } + ["static/"])
  }

  @Test("A record that is changed in its place gets no link that somebody has taken away")
  func missingLink() throws {
    try files.save(.example())
    let stored = try #require(try database.nodes().records.first)
    _ = try TestProcess.run(["rm", "-r", files.root.appending("static").string])
    for (isNew, count) in [(false, 0), (true, 1)] {
      try database.change { changes throws(DatabaseError) in changes.save(stored.record, over: stored, isNew: isNew) }
      #expect(try files.entries().count { $0.contains(" -> ") } == count)
    }
  }

  @Test("What a writer has left behind that died is cleared away by the next")
  func leftovers() throws {
    try files.write("half a rec", to: ".iscsi-admin/0")
    try files.write("half a rec", to: ".iscsi-admin/5")
    #expect(try names() == [])
    try files.save(.example())
    #expect(try files.entries().contains { $0.hasPrefix(".iscsi-admin") } == false)
    #expect(try names() == ["disk 10.0.0.1:3260,1 default"])
  }

  @Test("A discovery keeps what it has found, and takes it with it but what is in use")
  func discovery() throws {
    let discovery = DiscoveryRecord(.sendTargets, at: try PortalHost("10.0.0.9"), port: 3260)
    var (first, second) = (try NodeRecord.example("a"), try NodeRecord.example("b"))
    func found(_ record: inout NodeRecord) {
      record.discoveryAddress = "10.0.0.9"
      record.discoveryPort = 3260
      record.discoveryKind = .sendTargets
    }
    found(&first)
    found(&second)
    try database.change { (changes) throws(DatabaseError) in changes.save(discovery) }
    try files.save(first, second, .example("c"))
    #expect(
      try files.entries().filter { $0.hasPrefix("send_targets") } == [
        "send_targets/", "send_targets/10.0.0.9,3260/",
        "send_targets/10.0.0.9,3260/iqn.2026-11.org.example:a,10.0.0.1,3260,1,default -> "
          + "ROOT/nodes/iqn.2026-11.org.example:a/10.0.0.1,3260,1",
        "send_targets/10.0.0.9,3260/iqn.2026-11.org.example:b,10.0.0.1,3260,1,default -> "
          + "ROOT/nodes/iqn.2026-11.org.example:b/10.0.0.1,3260,1", "send_targets/10.0.0.9,3260/st_config",
      ])
    let stored = try #require(try database.discoveries(.sendTargets, at: Portal("10.0.0.9")).records.first)
    #expect(stored.record == discovery)
    try database.change { (changes) throws(DatabaseError) in
      try changes.delete(stored) { $0.target == second.target }
    }
    #expect(try names() == ["b 10.0.0.1:3260,1 default", "c 10.0.0.1:3260,1 default"])
    #expect(try files.entries().filter { $0.hasPrefix("send_targets") } == ["send_targets/"])
  }

  @Test("Interfaces are listed by name; those that there always are have no file")
  func interfaces() throws {
    var record = InterfaceRecord(name: try #require(InterfaceName("10.0.0.1:3260:volume")))
    record.networkDevice = "eth1"
    try database.change { (changes) throws(DatabaseError) in changes.save(record) }
    try files.write("what", to: "ifaces/iface.example")
    try files.write("iface.net_ifacename = eth0\n", to: "ifaces/nameless")
    try files.write("iface.iscsi_ifacename = eth0\niface.transport_name = tcp\n", to: "ifaces/copy")
    let listing = try database.interfaces()
    #expect(listing.records.map(\.record) == [record])
    #expect(
      listing.problems.map(\.description) == [
        "ifaces/copy is no record: it names another target or interface than its place does",
        "ifaces/nameless is no record: iface.iscsi_ifacename is missing",
      ])
    #expect(try database.interfaces(record.name).records.count == 1)
    #expect(try database.interfaces(.standard).records.isEmpty)
  }

  @Test("The database is where records are, and else where distributions have it")
  func place() throws {
    let machine = files.base.appending("machine")
    #expect(RecordDatabase.found(below: machine) == machine.appending("etc/iscsi"))
    try AtomicFile.makeDirectory(machine.appending("etc/iscsi"))
    try AtomicFile.makeDirectory(machine.appending("var/lib/iscsi"))
    #expect(RecordDatabase.found(below: machine) == machine.appending("var/lib/iscsi"))
    try AtomicFile.makeDirectory(machine.appending("etc/iscsi/nodes"))
    #expect(RecordDatabase.found(below: machine) == machine.appending("etc/iscsi"))
    // An empty folder, as a container's mount makes it, hides no records.
    try AtomicFile.makeDirectory(machine.appending("var/lib/iscsi/nodes/iqn.2026-11.org.example:a"))
    #expect(RecordDatabase.found(below: machine) == machine.appending("var/lib/iscsi"))
    try AtomicFile.makeDirectory(machine.appending("etc/iscsi/nodes/iqn.2026-11.org.example:a"))
    #expect(RecordDatabase.found(below: machine) == machine.appending("etc/iscsi"))
    let configured = InitiatorConfiguration(RecordText(Array("iscsid.dbroot = /srv/iscsi\n".utf8)))
    #expect(try RecordDatabase(override: nil, configuration: configured).root == "/srv/iscsi")
    #expect(try RecordDatabase(override: "", configuration: configured).root == "/srv/iscsi")
    #expect(try RecordDatabase(override: "/other", configuration: configured).root == "/other")
    #expect(configured.startCommand == nil)
  }

  @Test("The command that starts the daemon is the whole value")
  func startCommand() {
    for (line, command) in [("iscsid.startup = /bin/true a = b", "/bin/true a = b"), ("iscsid.startup =", nil)] {
      #expect(InitiatorConfiguration(RecordText(Array("\(line)\n".utf8))).startCommand == command)
    }
  }

  private func merge(
    _ found: [String: [String]], _ effects: DiscoveryEffects, _ configuration: InitiatorConfiguration = .init()
  ) throws -> [NodeRecord] {
    let discovery = DiscoveryRecord(.sendTargets, at: try PortalHost("10.0.0.9"), port: 3260)
    let targets = try found.sorted { $0.key < $1.key }.map { name, portals in
      DiscoveredTarget(
        name: try TargetName("iqn.2026-11.org.example:\(name)"), portals: try portals.map { try Portal($0) })
    }
    return try database.change { (changes) throws(DatabaseError) in
      try changes.merge([(.standard, targets)], foundBy: discovery, configuration, effects) { _ in false }
    }
  }

  @Test("A discovery adds what is new, and takes away what it found before and does not find now")
  func discovered() throws {
    try files.save(.example("mine", at: "10.0.0.9:3260,1"))
    let all = try merge(["a": ["10.0.0.1:3260,1", "10.0.0.2:3260,2"], "b": ["10.0.0.1:3260"]], [.add, .remove])
    #expect(all.map(\.discoveryAddress) == ["10.0.0.9", "10.0.0.9", "10.0.0.9"])
    #expect(
      try names() == [
        "a 10.0.0.1:3260,1 default", "a 10.0.0.2:3260,2 default", "b 10.0.0.1:3260 default",
        "mine 10.0.0.9:3260,1 default",
      ])
    _ = try merge(["a": ["10.0.0.2:3260,2"]], [.add])
    #expect(try names().count == 4)
    _ = try merge(["a": ["10.0.0.2:3260,2"]], [.add, .remove])
    // The one without a tag has no link, so that its discovery does not know it.
    #expect(
      try names() == ["a 10.0.0.2:3260,2 default", "b 10.0.0.1:3260 default", "mine 10.0.0.9:3260,1 default"])
    #expect(try merge(["a": []], [.remove]).isEmpty)
    #expect(try names() == ["b 10.0.0.1:3260 default", "mine 10.0.0.9:3260,1 default"])
  }

  @Test("What was set in a record stays when its node is found again, unless it is to be reset")
  func foundAgain() throws {
    let found = ["a": ["10.0.0.1:3260,1"]]
    _ = try merge(found, [.add])
    let stored = try #require(try database.nodes().records.first)
    var record = stored.record
    try record.set("node.session.queue_depth", to: "99")
    try database.change { (changes) throws(DatabaseError) in changes.save(record, over: stored) }
    #expect(try merge(found, [.add]).map(\.queueDepth) == [99])
    #expect(try database.nodes().records.map(\.record.queueDepth) == [99])
    let configuration = InitiatorConfiguration(RecordText(Array("node.session.queue_depth = 48\n".utf8)))
    #expect(try merge(found, [.add, .reset, .remove], configuration).map(\.queueDepth) == [48])
    #expect(try database.nodes().records.map(\.record.queueDepth) == [48])
  }

  @Test("A record in the older form is not new, and takes the newer one when it is reset")
  func foundInOlderForm() throws {
    var older = try NodeRecord.example("a", at: "10.0.0.1:3260")
    older.queueDepth = 99
    try files.save(older)
    let found = ["a": ["10.0.0.1:3260,1"]]
    // What was found is told with the tag that the target has.
    for effects in [[], .add] as [DiscoveryEffects] {
      let merged = try merge(found, effects)
      #expect(merged.map(\.queueDepth) == [99] && merged.map(\.portal.tag) == [1])
    }
    #expect(try names() == ["a 10.0.0.1:3260 default"])
    #expect(try merge(found, [.add, .reset]).map(\.queueDepth) == [32])
    #expect(try names() == ["a 10.0.0.1:3260,1 default"])
  }

  @Test("Where nothing is to be changed nothing is")
  func nothing() throws {
    #expect(try merge(["a": ["10.0.0.1:3260,1"]], []).count == 1)
    #expect(throws: Errno.noSuchFileOrDirectory) { try files.entries() }
  }
}
