// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import Synchronization
import SystemPackage
import Testing

@testable import IscsiKit

/// A machine whose daemon repeats a discovery at a target that finds what it is told to.
private final class RepeatingMachine {
  let machine: DaemonMachine
  let files: TemporaryDatabase
  let answer: Answer
  let portal: Portal
  private let server: LoopbackTarget

  /// What the target finds from now on; nil is a target that answers nobody.
  final class Answer: Sendable {
    let portals = Mutex<[Portal]?>([])
    /// How often it was asked.
    let questions = Atomic(0)
  }

  init(every interval: Int32 = 1) throws {
    machine = try DaemonMachine()
    files = try TemporaryDatabase()
    let answer = Answer()
    self.answer = answer
    let target = try testTarget()
    server = try LoopbackTarget { _ in
      answer.questions.add(1, ordering: .relaxed)
      guard let portals = answer.portals.withLock(\.self) else { return SilentNode() }
      var node = target
      node.targets = portals.isEmpty ? [] : [DiscoveredTarget(name: target.name, portals: portals)]
      return node
    }
    portal = server.portal
    try files.write("node.session.scan = manual\n", to: "iscsid.conf")
    try files.write("", to: "exclusions.conf")
    var records = RecordSource(
      configurationFile: files.root.appending("iscsid.conf"), databaseOverride: files.root.string,
      exclusionsFile: files.root.appending("exclusions.conf"))
    records.lockDirectory = files.locks
    records.minimumAbsence = .zero
    machine.records = records
    try save(isRepeated: true, every: interval)
  }

  func save(isRepeated: Bool, every interval: Int32 = 1) throws {
    var record = DiscoveryRecord(.sendTargets, at: portal.host, port: portal.port)
    record.isRepeated = isRepeated
    record.pollInterval = interval
    record.loginTimeout = .seconds(1)
    record.activeTimeout = .seconds(1)
    let saved = record
    try files.database.change { (changes) throws(DatabaseError) in
      changes.save(saved, over: try files.database.discoveries(.sendTargets).records.first)
    }
  }

  /// The target's portal for sessions, with the tag that a login needs for its record's place.
  var found: Portal {
    var portal = machine.peer.portal
    portal.tag = PortalGroupTag(1)
    return portal
  }

  var nodeCount: Int { (try? files.database.nodes().records.count) ?? -1 }

  func hasLogged(_ text: String) -> Bool { machine.logged.all.contains { $0.contains(text) } }
}

@Suite("Discoveries that a daemon repeats", .timeLimit(.minutes(2)))
struct BackgroundDiscoveryTests {
  @Test("What is found is kept and logged in to; what is gone is logged out of and forgotten, but not by a failure")
  func life() async throws {
    let repeating = try RepeatingMachine()
    let machine = repeating.machine
    repeating.answer.portals.withLock { $0 = [repeating.found] }
    try await machine.withDaemon { initiator in
      #expect(await eventually { () async in (try? await initiator.ping().sessions) == 1 })
      #expect(repeating.nodeCount == 1)
      #expect(await eventually { machine.kernel.snapshot(of: SessionID(rawValue: 1))?.state == .loggedIn })
      try machine.show(1)
      let owner = try await initiator.sessions().first?.recovery?.owner
      #expect(owner?.label == "discovery sendtargets at \(repeating.portal.address)")

      repeating.answer.portals.withLock { $0 = nil }
      let failure = "discovery sendtargets at \(repeating.portal.address): "
      #expect(await eventually { repeating.hasLogged(failure + "discovery at") })
      #expect(try await initiator.ping().sessions == 1 && repeating.nodeCount == 1)

      repeating.answer.portals.withLock { $0 = [] }
      #expect(await eventually { repeating.hasLogged("answered again") })
      #expect(await eventually { () async in (try? await initiator.ping().sessions) == 0 })
      // What the kernel does itself.
      machine.tree.remove("class/iscsi_session/session1")
      #expect(await eventually { repeating.nodeCount == 0 })
      #expect(await eventually { repeating.hasLogged("forgot iqn.2001-04.com.example:disk") })
    }
  }

  @Test("A record that says No ends it, and its sessions stay")
  func off() async throws {
    let repeating = try RepeatingMachine()
    let machine = repeating.machine
    repeating.answer.portals.withLock { $0 = [repeating.found] }
    try await machine.withDaemon { initiator in
      #expect(await eventually { machine.kernel.snapshot(of: SessionID(rawValue: 1))?.state == .loggedIn })
      try machine.show(1)
      try repeating.save(isRepeated: false)
      #expect(await eventually { repeating.hasLogged("not repeated any more; its sessions stay") })
      #expect(try await initiator.ping().sessions == 1 && repeating.nodeCount == 1)
    }
  }

  @Test("A target that is excluded stays, whatever is found")
  func excluded() async throws {
    let repeating = try RepeatingMachine()
    let machine = repeating.machine
    try repeating.files.write("iqn.2001-04.*\n", to: "exclusions.conf")
    repeating.answer.portals.withLock { $0 = [repeating.found] }
    try await machine.withDaemon { initiator in
      #expect(await eventually { machine.kernel.snapshot(of: SessionID(rawValue: 1))?.state == .loggedIn })
      try machine.show(1)
      repeating.answer.portals.withLock { $0 = [] }
      #expect(await eventually { repeating.hasLogged("is gone and stays: it is excluded") })
      #expect(try await initiator.ping().sessions == 1 && repeating.nodeCount == 1)
    }
  }

  @Test("Without a list of exclusions nobody is logged out of, and it is told which file is to be mended and how")
  func unknownExclusions() async throws {
    let repeating = try RepeatingMachine()
    let machine = repeating.machine
    try AtomicFile.makeDirectory(repeating.files.root.appending("list"))
    machine.records?.exclusionsFile = repeating.files.root.appending("list")
    repeating.answer.portals.withLock { $0 = [repeating.found] }
    try await machine.withDaemon { initiator in
      #expect(await eventually { machine.kernel.snapshot(of: SessionID(rawValue: 1))?.state == .loggedIn })
      try machine.show(1)
      repeating.answer.portals.withLock { $0 = [] }
      #expect(await eventually { repeating.hasLogged("is gone and stays: it may be excluded") })
      let path = "\(repeating.files.root)/list"
      let told = machine.logged.all.filter { $0.hasPrefix("no target that is gone is logged out of: ") }
      #expect(told.count == 1 && told.allSatisfy { $0.contains("excluded targets \(path) cannot be read: ") })
      #expect(told.allSatisfy { $0.hasSuffix("; put a file in the place of the folder \(path), or remove it") })
      #expect(try await initiator.ping().sessions == 1)
    }
  }

  @Test("Nothing is gone before all discoveries have answered: another may find it")
  func otherSilent() async throws {
    let repeating = try RepeatingMachine()
    let machine = repeating.machine
    let silent = try LoopbackTarget { _ in SilentNode() }
    var other = DiscoveryRecord(.sendTargets, at: silent.portal.host, port: silent.portal.port)
    other.isRepeated = true
    (other.loginTimeout, other.activeTimeout, other.pollInterval) = (.seconds(1), .seconds(1), 1)
    let record = other
    try repeating.files.database.change { (changes) throws(DatabaseError) in changes.save(record) }
    repeating.answer.portals.withLock { $0 = [repeating.found] }
    try await machine.withDaemon { initiator in
      #expect(await eventually { machine.kernel.snapshot(of: SessionID(rawValue: 1))?.state == .loggedIn })
      try machine.show(1)
      repeating.answer.portals.withLock { $0 = [] }
      let reason = "is gone and stays: others may find it that have not answered: discovery sendtargets at "
      #expect(await eventually { repeating.hasLogged(reason + silent.portal.address) })
      #expect(try await initiator.ping().sessions == 1 && repeating.nodeCount == 1)
      try repeating.files.database.change { (changes) throws(DatabaseError) in
        let stored = try repeating.files.database.discoveries(.sendTargets, at: record.portal).records.first
        if let stored { try changes.delete(stored) { _ in true } }
      }
      #expect(await eventually { () async in (try? await initiator.ping().sessions) == 0 })
    }
  }

  @Test("A logout that lasts holds up neither its discovery nor others, and is not begun again")
  func slowLogout() async throws {
    let repeating = try RepeatingMachine()
    let machine = repeating.machine
    let second = try LoopbackTarget { _ in SilentNode() }
    repeating.answer.portals.withLock { $0 = [repeating.found] }
    try await machine.withDaemon { _ in
      #expect(await eventually { machine.kernel.snapshot(of: SessionID(rawValue: 1))?.state == .loggedIn })
      try machine.show(1)
      // The target takes its time for what is still to be written.
      machine.kernel.inject(.withoutEvent, into: .unbindSession)
      repeating.answer.portals.withLock { $0 = [] }
      #expect(await eventually { machine.kernel.requests.contains { $0.type == .unbindSession } })
      var portal = second.portal
      portal.tag = PortalGroupTag(1)
      let found = portal
      repeating.answer.portals.withLock { $0 = [found] }
      #expect(await eventually { machine.kernel.snapshot(of: SessionID(rawValue: 2))?.state == .loggedIn })
      #expect(machine.kernel.requests.count { $0.type == .unbindSession } == 1)
      #expect(machine.logged.all.count { $0.contains("is gone; logging out") } == 1)
    }
  }

  @Test("A record that somebody has edited outlives its node, which is told once")
  func edited() async throws {
    let repeating = try RepeatingMachine()
    let machine = repeating.machine
    repeating.answer.portals.withLock { $0 = [repeating.found] }
    try await machine.withDaemon { initiator in
      #expect(await eventually { machine.kernel.snapshot(of: SessionID(rawValue: 1))?.state == .loggedIn })
      try machine.show(1)
      let database = repeating.files.database
      try database.change { (changes) throws(DatabaseError) in
        guard let stored = try database.nodes().records.first else {
          Issue.record("there is no record")
          return
        }
        var record = stored.record
        record.startup = .automatic
        changes.save(record, over: stored)
      }
      repeating.answer.portals.withLock { $0 = [] }
      #expect(await eventually { () async in (try? await initiator.ping().sessions) == 0 })
      let text = "is gone; its record stays, because somebody has edited it"
      #expect(await eventually { repeating.hasLogged(text) })
      // Nor is it told again when the kernel shows the session a little longer.
      let questions = repeating.answer.questions.load(ordering: .relaxed)
      #expect(await eventually { repeating.answer.questions.load(ordering: .relaxed) >= questions + 3 })
      machine.tree.remove("class/iscsi_session/session1")
      // It comes back, to be gone again.
      repeating.answer.portals.withLock { $0 = [repeating.found] }
      #expect(await eventually { machine.kernel.snapshot(of: SessionID(rawValue: 2))?.state == .loggedIn })
      #expect(try database.nodes().records.map(\.record.startup) == [.automatic])
      #expect(machine.logged.all.count { $0.contains(text) } == 1)
    }
  }

  @Test("A record is noticed that is made while the daemon runs, and one that cannot be read is told of once")
  func noticed() async throws {
    let repeating = try RepeatingMachine()
    let machine = repeating.machine
    try repeating.save(isRepeated: false)
    try repeating.files.write("nonsense\n", to: "send_targets/10.0.0.7,3260/st_config")
    try await machine.withDaemon { initiator in
      #expect(await eventually { repeating.hasLogged("send_targets/10.0.0.7,3260/st_config is no record") })
      repeating.answer.portals.withLock { $0 = [repeating.found] }
      try repeating.save(isRepeated: true)
      #expect(await eventually { () async in (try? await initiator.ping().sessions) == 1 })
      #expect(machine.logged.all.count { $0.contains("is no record") } == 1)
    }
  }
}
