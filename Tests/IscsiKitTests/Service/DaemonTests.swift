// SPDX-License-Identifier: Apache-2.0
import Glibc
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("The daemon, by its clients", .timeLimit(.minutes(2)))
struct DaemonTests {
  @Test("A daemon tells what it is")
  func ping() async throws {
    let machine = try DaemonMachine()
    try await machine.withDaemon { initiator in
      let identity = try await initiator.ping()
      #expect(identity.version == "1.2.3" && identity.processID == UnixPeer.current.processID)
      #expect(identity.sessions == 0 && identity.eventCount == 0 && !identity.instance.isEmpty)
      #expect(try await initiator.sessions().isEmpty)
    }
  }

  @Test("A daemon by the name that a service manager listens by is woken through it")
  func wake() async throws {
    let machine = try DaemonMachine()
    let address = UnixAddress(abstract: machine.exclusiveName)
    let descriptor = try LocalSocket.makeDescriptor()
    // The kernel copies the address.
    let bound = unsafe address.withSocketAddress { unsafe bind(descriptor, $0, $1) }
    try #require(bound == 0 && listen(descriptor, 4) == 0)
    machine.exclusiveListener = FileDescriptor(rawValue: descriptor)
    let name = machine.exclusiveName
    let waking = Task { await LegacyDaemonName.wake(name, ifHeldBy: { _ in true }, until: .now + .seconds(60)) }
    try await machine.withDaemon { initiator in
      let isAwake = await waking.value
      #expect(isAwake)
      let identity = try await initiator.ping()
      #expect(identity.processID == UnixPeer.current.processID)
    }
  }

  @Test("A login tells its steps and its session, and a logout ends it")
  func loginAndLogout() async throws {
    let machine = try DaemonMachine()
    try await machine.withDaemon { initiator in
      let steps = Notes<LoginStep>()
      var input = InitiatorTypes.LoginInput(logins: [machine.login()])
      input.label = String(repeating: "x", count: 300)
      let results = try await initiator.login(input) { index, step in
        #expect(index == 0)
        steps.add(step)
      }
      #expect(steps.all == [.connect, .create, .negotiate, .start, .end])
      let session = try #require(results.first?.session)
      #expect(results.count == 1 && results[0].failure == nil)
      #expect(session.session == 1 && session.target == "iqn.2001-04.com.example:disk" && session.devices.isEmpty)
      // With the tag that the target told.
      #expect(session.portal == machine.peer.portal.description + ",1")
      try machine.show(1)

      let shown = try #require(try await initiator.sessions().first)
      #expect(shown.state == "LOGGED_IN" && shown.connectionState == "up" && shown.portal == session.portal)
      #expect(shown.timeouts.replacement == 120 && shown.initiator == "iqn.2001-04.com.example:host")
      let recovery = try #require(shown.recovery)
      #expect(recovery.phase == "up" && recovery.recoveries == 0 && recovery.outage == nil)
      #expect(recovery.owner?.userID == UnixPeer.current.userID && recovery.owner?.label?.count == 128)
      #expect(try await initiator.session(SessionID(rawValue: 1)) == shown)
      #expect(try await initiator.recoveries() == [SessionID(rawValue: 1): recovery])
      let (recoveries, phases) = try await BlockingWork(limit: 1).run(until: .soon) {
        Result { (try initiator.blockingRecoveries(until: .soon), try initiator.askForPhases(until: .soon).answer()) }
      }.get()
      #expect(recoveries == [SessionID(rawValue: 1): recovery])
      #expect(phases == [InitiatorTypes.PhaseGroup(phase: "up", sessions: [1])])
      #expect(try await initiator.ping().sessions == 1)

      let ended = try await initiator.logOut(InitiatorTypes.LogoutInput(sessions: [1]))
      #expect(ended.count == 1 && ended[0].failure == nil && ended[0].problems.isEmpty && ended[0].session == 1)
      #expect(machine.kernel.sessions.isEmpty)
      #expect(try await initiator.ping().sessions == 0)
    }
  }

  @Test("Targets are told the machine's alias by each login and discovery")
  func alias() async throws {
    let machine = try DaemonMachine()
    let file = try TemporaryFile("InitiatorAlias=rack 7\n")
    machine.nameFile = InitiatorNameFile(path: file.path)
    let target = try testTarget()
    let asked = try LoopbackTarget { _ in target }
    try await machine.withDaemon { initiator in
      _ = try await initiator.discover(.init(portal: asked.portal.description))
      _ = try await machine.logIn(initiator)
    }
    guard case .loginRequest(let discovery)? = asked.received.first else { throw Errno.noData }
    let login = try #require(machine.kernel.requests.compactMap(\.pdu).first)
    for octets in [discovery.data, login.data] { #expect(TextEntries(octets: octets)["InitiatorAlias"] == "rack 7") }
  }

  @Test("Results stand in the order of the call, and failures tell exit code and advice")
  func failures() async throws {
    let machine = try DaemonMachine()
    try await machine.withDaemon { initiator in
      let logins = [machine.login("iqn.2001-04.com.example:other"), machine.login(), machine.login()]
      let results = try await initiator.login(InitiatorTypes.LoginInput(logins: logins))
      #expect(results.map { $0.failure?.exitStatus } == [.fatalLogin, nil, .sessionExists])
      #expect(results[0].failure?.target == logins[0].target && results[0].failure?.session == nil)
      #expect(results[1].session?.session != nil)
      let ended = try await initiator.logOut(InitiatorTypes.LogoutInput(sessions: [77]))
      #expect(ended.map { $0.failure?.exitStatus } == [.sessionNotFound])
      let unknown = SessionID(rawValue: 77)
      let errors = [
        await #expect(throws: InitiatorError.self) { try await initiator.session(unknown) },
        await #expect(throws: InitiatorError.self) { try await initiator.statistics(of: unknown) },
        await #expect(throws: InitiatorError.self) { try await initiator.set(.init(replacement: 1), of: unknown) },
      ]
      for error in errors { #expect(error?.exitStatus == .sessionNotFound) }
    }
  }

  @Test("A session that is being recovered is listed with all that is known of its outage")
  func recovery() async throws {
    let target = try testTarget()
    let machine = try DaemonMachine { session in
      var target = target
      if session.bindCount > 1 { target.login.refusal = .serviceUnavailable }
      return target
    }
    try await machine.withDaemon { initiator in
      let session = try await machine.logIn(initiator)
      machine.kernel.failConnection(of: SessionID(rawValue: session))
      #expect(
        await eventually { () async in
          (try? await initiator.sessions())?.first?.recovery?.outage?.lastFailure?.number ?? 0 >= 2
        })
      let recovery = try #require(try await initiator.sessions().first?.recovery)
      let outage = try #require(recovery.outage)
      #expect(recovery.phase == "recovering" && recovery.lastOutage == nil)
      #expect(outage.kernelError == KernelErrorCode.connectionClosed.rawValue && outage.kernelErrorName != nil)
      #expect(outage.attempts >= 2 && outage.end == nil)
      #expect(outage.lastFailure?.portal == machine.peer.portal.description)
      #expect(try #require(outage.lastFailure).time >= outage.since)
    }
  }

  @Test("Rescans, counters and timeouts")
  func others() async throws {
    let machine = try DaemonMachine()
    try await machine.withDaemon { initiator in
      let session = SessionID(rawValue: try await machine.logIn(initiator))
      machine.kernel.setSCSICommands(4711)
      #expect(try await initiator.statistics(of: session).contains { $0.value == 4711 })
      let survey = try await initiator.survey(until: .now + .seconds(30))
      #expect(survey.daemon.version == "1.2.3" && survey.recoveries[session]?.phase == "up")
      #expect(survey.counters[session]?.contains { $0.value == 4711 } == true)
      #expect(try await initiator.survey(withCounters: false, until: .now + .seconds(30)).counters.isEmpty)
      let kept = try await initiator.keptEvents(until: .now + .seconds(30))
      #expect(kept.last?.sequence == survey.daemon.lastEvent && kept.contains { $0.kind == "loggedIn" })
      var change = LoginDescription.TimeoutsDescription(replacement: 5, noopInterval: 0)
      change.abort = 3
      try await initiator.set(change, of: session)
      let parameters = try #require(machine.kernel.sessions[session]).parameters
      // One zero of the NOP-Out check turns it off, for which the kernel needs both.
      #expect(parameters[19] == "5" && parameters[27] == "3" && parameters[30] == "0" && parameters[31] == "0")
      let results = try await initiator.rescan([session, SessionID(rawValue: 77)])
      #expect(results.map(\.session) == [1, 77])
      #expect(results.map { $0.failure?.exitStatus } == [nil, .sessionNotFound])
      let error = await #expect(throws: InitiatorError.self) {
        try await initiator.set(.init(replacement: -2), of: session)
      }
      #expect(error?.exitStatus == .invalidArgument)
    }
  }

  @Test("A login that is not waited for shows in the events")
  func withoutWait() async throws {
    let machine = try DaemonMachine()
    try await machine.withDaemon { initiator in
      var input = InitiatorTypes.LoginInput(logins: [machine.login(), machine.login()])
      input.wait = false
      let results = try await initiator.login(input)
      #expect(results.map { $0.failure?.exitStatus } == [nil, .sessionExists])
      #expect(results.allSatisfy { $0.session == nil })
      var events = initiator.events(after: 0).makeAsyncIterator()
      let event = try #require(try await events.next())
      #expect(event.kind == "loggedIn" && event.session == 1)
      #expect(try await initiator.ping().firstEvent == event.sequence)
      #expect(event.target == "iqn.2001-04.com.example:disk")
    }
  }

  @Test("A client that hangs up breaks its logins off, and nothing is left of them")
  func hangUp() async throws {
    let machine = try DaemonMachine { _ in SilentNode() }
    try await machine.withDaemon { initiator in
      let input = InitiatorTypes.LoginInput(logins: [machine.login()])
      let login = Task { try await initiator.login(input) }
      #expect(await eventually { machine.kernel.requests.last?.type == .sendPDU })
      login.cancel()
      await #expect(throws: InitiatorError.self) { try await login.value }
      #expect(await eventually { machine.kernel.sessions.isEmpty })
      // The target is free again.
      var again = input
      again.wait = false
      #expect(await eventually { () async in (try? await initiator.login(again))?.first?.failure == nil })
    }
  }

  @Test("What is malformed is refused with the path of what is wrong")
  func malformed() async throws {
    let machine = try DaemonMachine()
    try await machine.withDaemon { initiator in
      let good: JSONValue = ["target": "iqn.2001-04.com.example:disk", "portal": "192.0.2.1"]
      let calls: [(String, JSONValue, String)] = [
        ("Login", [:], "logins"), ("Login", ["logins": [["target": 1, "portal": "192.0.2.1"]]], "logins.0.target"),
        ("Login", ["logins": [good, ["target": "-disk", "portal": "192.0.2.1"]]], "logins.1.target"),
        (
          "Login",
          [
            "logins": [
              good,
              [
                "target": "iqn.2001-04.com.example:disk", "portal": "192.0.2.1",
                "timeouts": ["login": 9_223_372_036_854_775_807],
              ],
            ]
          ], "logins.1.timeouts.login"
        ),
        ("Logout", ["sessions": [-1]], "sessions.0"), ("Logout", ["sessions": [4_294_967_296]], "sessions.0"),
        ("Discover", ["portal": ""], "portal"), ("Discover", ["portal": "192.0.2.1", "timeout": 0], "timeout"),
        ("Discover", ["portal": "192.0.2.1", "initiator": "me"], "initiator"),
        ("GetSession", ["session": "1"], "session"), ("Monitor", ["after": -1], "after"),
      ]
      let socket = machine.runtimeDirectory.appending("control.sock")
      for (method, parameters, path) in calls {
        let client = try await VarlinkClient.connect(to: socket, until: .soon)
        let error = await #expect(throws: VarlinkError.self, "\(method)") {
          for try await _ in try await client.callMore("\(InitiatorInterface.name).\(method)", parameters, until: .soon)
          {}
        }
        guard case .remote(VarlinkErrorName.invalidParameter, let told)? = error else {
          Issue.record("\(method) \(path): \(String(describing: error))")
          continue
        }
        #expect(told["parameter"] == .string(path))
      }
      let client = try await VarlinkClient.connect(to: socket, until: .soon)
      let unknown = await #expect(throws: VarlinkError.self) {
        try await client.call("\(InitiatorInterface.name).Format", until: .soon)
      }
      guard case .remote(VarlinkErrorName.methodNotFound, _)? = unknown else {
        Issue.record("\(String(describing: unknown))")
        return
      }
      // Nothing of all this has reached the kernel: there was its probe only.
      #expect(machine.kernel.requests.allSatisfy { $0.type == .getParameter })
    }
  }
}
