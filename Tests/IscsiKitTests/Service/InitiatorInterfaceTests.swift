// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("The daemon's interface")
struct InitiatorInterfaceTests {
  private func interface() throws -> VarlinkInterface { try VarlinkInterface(InitiatorInterface.text) }

  @Test("The documented interface is the one that the daemon tells")
  func documentation() throws {
    let path = FilePath(#filePath).removingLastComponent().appending("../../../docs/io.iscsi-admin.Initiator.varlink")
    let contents = try FileContents(of: path, limit: 1 << 20)
    #expect(String(decoding: contents.octets, as: UTF8.self) == InitiatorInterface.text)
  }

  /// A value of each type with all that it can have, and the type of the interface that describes it.
  private static func samples() throws -> [(String, JSONValue)] {
    let encoder = JSONValueEncoder()
    var request = LoginRequest(
      initiator: try InitiatorName("iqn.2001-04.com.example:host"),
      target: try TargetName("iqn.2001-04.com.example:disk"), portal: try Portal("10.0.0.1:3260,1"))
    request.options.authentication = try TestAccounts.authentication(mutual: true, [.sha256, .md5])
    request.options.binding = .device("eth0")
    request.options.recoveryLimit = 3
    request.options.devices = DeviceSettings(timeout: 90, errorHandlingTimeout: 5, scheduler: IOScheduler.none)
    var login = LoginDescription(request)
    login.luns = [1, 2]
    let failure = InitiatorTypes.Failure(
      message: "no", advice: "do", exitCode: 4, target: "iqn", portal: "10.0.0.1:3260", session: 1)
    let device = InitiatorTypes.Device(
      address: "2:0:0:1", state: "running", type: 0, vendor: "LIO-ORG", model: "disk", revision: "4.0",
      blockDevice: "sda", sizeBytes: 1 << 40)
    let session = InitiatorTypes.LoggedIn(
      session: 1, host: 2, target: "iqn", portal: "10.0.0.1:3260,1", targetAlias: "alias", chapAlgorithm: "MD5",
      devices: [device])
    let attempt = InitiatorTypes.Attempt(
      number: 2, portal: "10.0.0.1:3260", cause: "connection refused", time: 1.5, exitCode: 4,
      loginStatus: 0x0301)
    let outage = InitiatorTypes.Outage(
      cause: "lost", kernelError: 1020, kernelErrorName: "TCP_CONN_CLOSE", network: "eth0 is without carrier",
      since: 1.25, end: 2.5, attempts: 2, lastFailure: attempt, nextAttempt: 3.5,
      replacementTimeout: 120, deadline: 121.25)
    let owner = SessionOwner(userID: 0, processID: 7, label: "csi", time: 1.5)
    var recovery = InitiatorTypes.Recovery(
      phase: "up", portal: "10.0.0.1:3260", recoveries: 1, network: "eth0 is without carrier",
      networkSince: 2.5, silentSince: 3.5, noopsIdle: true, outage: outage, lastOutage: outage, owner: owner,
      sessionCount: 2, dueScheduler: "none", removingSince: 4.5)
    var timeouts = LoginDescription.TimeoutsDescription(replacement: -1, noopInterval: 5, noopTimeout: 5)
    (timeouts.abort, timeouts.luReset, timeouts.targetReset) = (15, 30, 30)
    timeouts.hostErrorHandling = -1
    recovery.dueTimeouts = timeouts
    var set = InitiatorTypes.SetInput(session: 1, timeouts: timeouts)
    (set.scheduler, set.trial) = ("none", true)
    let setResults = [
      InitiatorTypes.SetResult(
        SettingOutcome("device-timeout", .device("2:0:0:1"), old: "30", new: "90", .failed, note: .refused("no"))),
      InitiatorTypes.SetResult(
        SettingOutcome("host-eh-deadline", .host(HostNumber(rawValue: 2)), old: "off", new: "9", .changed)),
    ]
    let shown = InitiatorTypes.Session(
      session: 1, target: "iqn", portal: "10.0.0.1:3260,1", currentPortal: "10.0.0.1:3260", interface: "default",
      initiator: "iqn", transport: "tcp", state: "LOGGED_IN", connectionState: "up", targetState: "SCANNED", host: 2,
      hostState: "running", timeouts: timeouts, devices: [device], recovery: recovery)
    let event = InitiatorTypes.Event(
      sequence: 9, time: 1.5, kind: "recovered", session: 1, target: "iqn", portal: "10.0.0.1:3260", message: "back",
      kernelError: 1020, attempt: 2, nextAttempt: 2.5, outageSeconds: 0.5)
    let discovery = InitiatorTypes.Discovery(
      targets: [InitiatorTypes.Target(name: "iqn", portals: ["10.0.0.1:3260,1"], warnings: ["odd"])],
      refused: [InitiatorTypes.Refusal(text: "x", reason: "y")], refusedCount: 1)
    var discover = InitiatorTypes.DiscoverInput(portal: "10.0.0.1")
    discover.initiator = "iqn"
    discover.authentication = login.authentication
    discover.interface = LoginDescription.InterfaceDescription(
      hardwareAddress: "02:00:00:00:00:01", sourceAddress: "10.0.0.2")
    discover.timeout = 3
    var logins = InitiatorTypes.LoginInput(logins: [login])
    (logins.wait, logins.label) = (true, "csi")
    var logout = InitiatorTypes.LogoutInput(sessions: [1])
    (logout.timeout, logout.force) = (15, true)
    let logoutResult = InitiatorTypes.LogoutResult(
      session: 1, target: "iqn", portal: "10.0.0.1:3260", problems: ["odd"], failure: failure)
    return [
      ("Discover in", try encoder.encode(discover)), ("Discover out", try encoder.encode(discovery)),
      ("Login in", try encoder.encode(logins)),
      (
        "Login out",
        try encoder.encode(
          InitiatorTypes.LoginOutput(
            results: [InitiatorTypes.LoginResult(session: session, failure: failure)],
            progress: InitiatorTypes.LoginProgress(index: 0, step: "connecting")))
      ),
      ("Logout in", try encoder.encode(logout)),
      ("Logout out", try encoder.encode(InitiatorTypes.LogoutOutput(results: [logoutResult]))),
      ("Rescan in", try encoder.encode(InitiatorTypes.RescanInput(sessions: [1]))),
      (
        "Rescan out",
        try encoder.encode(
          InitiatorTypes.RescanOutput(
            results: [InitiatorTypes.RescanResult(session: 1, devices: [device], failure: failure)]))
      ),
      ("ListSessions in", try encoder.encode(InitiatorTypes.ListInput(onlyRecovery: true))),
      ("ListSessions out", try encoder.encode(InitiatorTypes.ListOutput(sessions: [shown]))),
      (
        "ListPhases out",
        try encoder.encode(
          InitiatorTypes.PhasesOutput(groups: [InitiatorTypes.PhaseGroup(phase: "up", sessions: [1, 2])]))
      ),
      ("GetSession in", try encoder.encode(InitiatorTypes.SessionInput(session: 1))),
      ("GetSession out", try encoder.encode(InitiatorTypes.SessionOutput(session: shown))),
      ("Statistics in", try encoder.encode(InitiatorTypes.SessionInput(session: 1))),
      (
        "Statistics out",
        try encoder.encode(
          InitiatorTypes.StatisticsOutput(counters: [InitiatorTypes.Counter(name: "a", value: 1)]))
      ),
      ("Set in", try encoder.encode(set)),
      ("Set out", try encoder.encode(InitiatorTypes.SetOutput(results: setResults))),
      ("Monitor in", try encoder.encode(InitiatorTypes.MonitorInput(after: 1))),
      ("Monitor out", try encoder.encode(InitiatorTypes.MonitorOutput(event: event))),
      (
        "Ping out",
        try encoder.encode(
          InitiatorTypes.Identity(version: "1", instance: "x", processID: 1, sessions: 0, firstEvent: 1, lastEvent: 0))
      ),
      ("OperationFailed error", try encoder.encode(InitiatorTypes.FailureOutput(failure: failure))),
    ]
  }

  @Test("What the Swift types say is what the interface describes, key by key")
  func types() throws {
    let interface = try interface()
    var described: Set<String> = []
    for (name, value) in try Self.samples() {
      let words = name.split(separator: " ").map(String.init)
      let type: VarlinkType =
        switch words[1] {
        case "in": try #require(interface.methods[words[0]]).input
        case "out": try #require(interface.methods[words[0]]).output
        default: try #require(interface.errors[words[0]])
        }
      #expect(throws: Never.self, "\(name)") { try interface.validate(value, against: type) }
      described.insert(words[0])
    }
    #expect(described.union(["Shutdown"]).isSuperset(of: interface.methods.keys))
  }

  @Test("Nothing that the interface describes is unknown to the Swift types: samples have every field")
  func completeness() throws {
    let interface = try interface()
    var seen: [String: Set<String>] = [:]
    func walk(_ value: JSONValue, _ type: VarlinkType) {
      switch (value, type) {
      case (_, .optional(let inner)): walk(value, inner)
      case (.array(let elements), .array(let inner)): for element in elements { walk(element, inner) }
      case (_, .named(let name)):
        guard case .object(let members) = value, case .structure(let fields)? = interface.types[name] else { return }
        seen[name, default: []].formUnion(members.keys)
        for field in fields { if let member = members[field.name] { walk(member, field.type) } }
      case (.object(let members), .structure(let fields)):
        for field in fields { if let member = members[field.name] { walk(member, field.type) } }
      default: return
      }
    }
    for (name, value) in try Self.samples() {
      let words = name.split(separator: " ").map(String.init)
      guard let method = interface.methods[words[0]] else { continue }
      walk(value, words[1] == "in" ? method.input : method.output)
    }
    for (name, type) in interface.types {
      guard case .structure(let fields) = type else { continue }
      // A login is described with all that it can have; its scan and its units exclude each other.
      let expected = Set(fields.map(\.name))
      #expect(seen[name] ?? [] == expected, "\(name)")
    }
  }
}
