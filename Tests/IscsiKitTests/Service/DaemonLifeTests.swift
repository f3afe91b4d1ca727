// SPDX-License-Identifier: Apache-2.0
import Glibc
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("The daemon's starts and ends", .timeLimit(.minutes(2)))
struct DaemonLifeTests {
  /// What a second daemon is told of the first, which this process is.
  private static let refusedByLock = DaemonError.otherDaemon(
    .taken(by: .iscsiAdmin(process: UnixPeer.current.processID)))

  @Test("A daemon that is started again takes a healthy session up without asking the kernel for anything")
  func restart() async throws {
    let machine = try DaemonMachine()
    var session: UInt32 = 0
    try await machine.withDaemon { session = try await machine.logIn($0) }
    #expect(machine.kernel.sessions[SessionID(rawValue: session)]?.connection == .up)
    machine.continueKernel()
    try await machine.withDaemon { initiator in
      let shown = try #require(try await initiator.sessions().first)
      #expect(shown.session == session && shown.recovery?.phase == "up")
      #expect(shown.recovery?.owner?.userID == UnixPeer.current.userID)
      // The link's probe, and the daemon's own.
      #expect(machine.kernel.requests.allSatisfy { $0.type == .getParameter })
      // What it knows is enough to bring the session back.
      machine.kernel.failConnection(of: SessionID(rawValue: session))
      #expect(await eventually { () async in (try? await initiator.sessions())?.first?.recovery?.recoveries == 1 })
    }
  }

  @Test("A session that lost its connection while there was no daemon is recovered by the next")
  func lostBetween() async throws {
    let machine = try DaemonMachine()
    var session: UInt32 = 0
    try await machine.withDaemon { session = try await machine.logIn($0) }
    machine.continueKernel()
    machine.kernel.failConnection(of: SessionID(rawValue: session))
    try machine.show(session)
    try await machine.withDaemon { initiator in
      #expect(await eventually { () async in (try? await initiator.sessions())?.first?.recovery?.recoveries == 1 })
      #expect(machine.kernel.sessions[SessionID(rawValue: session)]?.connection == .up)
    }
  }

  @Test("A login that its daemon could not end is removed by the next")
  func interrupted() async throws {
    let machine = try DaemonMachine { _ in SilentNode() }
    try await machine.withDaemon { initiator in
      var input = InitiatorTypes.LoginInput(logins: [machine.login()])
      input.wait = false
      _ = try await initiator.login(input)
      #expect(await eventually { machine.kernel.requests.last?.type == .sendPDU })
      // A daemon that ends looks at what it leaves.
      try machine.show(1)
    }
    #expect(machine.kernel.sessions.count == 1)
    machine.continueKernel()
    try await machine.withDaemon { _ in
      #expect(await eventually { machine.kernel.sessions.isEmpty })
    }
  }

  @Test("A monitor goes on over a restart of the daemon, and is told that something may have happened there")
  func monitor() async throws {
    let machine = try DaemonMachine()
    let (events, initiator) = (Notes<InitiatorTypes.Event>(), machine.initiator)
    let reading = Task { for try await event in initiator.events(after: 0) { events.add(event) } }
    try await machine.withDaemon { initiator in
      _ = try await machine.logIn(initiator)
      #expect(await eventually { events.all.map(\.kind) == ["loggedIn"] })
    }
    machine.continueKernel()
    try await machine.withDaemon { initiator in
      #expect(await eventually { events.all.map(\.kind) == ["loggedIn", "missed", "adopted"] })
      _ = try await initiator.logOut(InitiatorTypes.LogoutInput(sessions: [1]))
      #expect(await eventually { events.all.map(\.kind).suffix(2) == ["leaving", "loggedOut"] })
      // A client that was not there meanwhile is told the same, and one that knows all of it is not.
      let (old, known) = (try #require(events.all.first), try #require(events.all.dropFirst().first))
      for (last, kind) in [(old, "missed"), (known, "adopted")] {
        var late = initiator.events(after: last.sequence).makeAsyncIterator()
        #expect(try await late.next()?.kind == kind)
      }
    }
    reading.cancel()
    try await reading.value
    let numbers = events.all.map(\.sequence)
    #expect(numbers == Array(Set(numbers)).sorted())
  }

  @Test("A client can end the daemon; sessions stay, and the socket goes")
  func shutDown() async throws {
    let machine = try DaemonMachine()
    let running = try machine.start()
    let initiator = machine.initiator
    #expect(await eventually { () async in (try? await initiator.ping()) != nil })
    _ = try await machine.logIn(initiator)
    try await initiator.shutDown()
    try await running.value.get()
    #expect(machine.kernel.sessions.count == 1)
    let error = await #expect(throws: InitiatorError.self) { try await initiator.ping() }
    #expect(error?.advice?.contains("start") == true && error?.exitStatus != .success)
  }

  @Test("A second daemon is refused before it touches anything")
  func second() async throws {
    let machine = try DaemonMachine()
    try await machine.withDaemon { initiator in
      let instance = try await initiator.ping().instance
      let count = machine.kernel.requests.count
      guard case .failure(let error) = await (try machine.start()).value else {
        Issue.record("it ran")
        return
      }
      guard case .otherDaemon(.taken) = error else {
        Issue.record("\(error)")
        return
      }
      #expect(error.exitStatus == .busy && machine.kernel.requests.count == count)
      #expect(try await initiator.ping().instance == instance)
    }
  }

  @Test("A second daemon is refused by the first one's lock alone, and told its process")
  func lock() async throws {
    let machine = try DaemonMachine()
    try await machine.withDaemon { _ in
      machine.exclusiveName += "-other"
      let result = await (try machine.start()).value
      #expect(throws: Self.refusedByLock) { try result.get() }
    }
  }

  @Test(
    "A user who may not drive sessions and has the name keeps no daemon from its work, which takes it when it is free")
  func stranger() async throws {
    let machine = try DaemonMachine()
    // To the daemon the user of this test is then one like any other.
    machine.daemonUsers = []
    var taken: LegacyDaemonName? = try LegacyDaemonName.acquire(machine.exclusiveName)
    try await machine.withDaemon { initiator in
      #expect(try await machine.logIn(initiator) == 1)
      // The lock excludes other daemons all the same.
      let result = await (try machine.start()).value
      #expect(throws: Self.refusedByLock) { try result.get() }
      withExtendedLifetime(taken) {}
      taken = nil
      let address = UnixAddress(abstract: machine.exclusiveName)
      #expect(await eventually { (try? LocalSocket.connect(to: address)) != nil })
    }
  }

  @Test("Where there can be no lock, a name that a stranger has is reason enough not to start")
  func strangerWithoutLock() async throws {
    let machine = try DaemonMachine()
    machine.daemonUsers = []
    try machine.tree.set("run", to: .text("a file"))
    let taken = try LegacyDaemonName.acquire(machine.exclusiveName)
    let result = await (try machine.start()).value
    guard case .failure(.otherDaemon(.taken(by: .stranger(UnixPeer.current.userID, _)))) = result else {
      Issue.record("\(result)")
      return
    }
    withExtendedLifetime(taken) {}
  }

  @Test("A daemon whose kernel cannot be reached does not start, and leaves the name to others")
  func withoutKernel() async throws {
    let machine = try DaemonMachine()
    machine.kernel.failReceive(.connectionReset)
    guard case .failure(let error) = await (try machine.start()).value, case .kernel = error else {
      Issue.record("it ran")
      return
    }
    machine.continueKernel()
    try await machine.withDaemon { _ = try await $0.ping() }
  }

  @Test("A control socket that is taken away is made anew each time, and who is connected stays so")
  func takenSocket() async throws {
    let machine = try DaemonMachine()
    let directory = machine.runtimeDirectory.string
    try await machine.withDaemon { initiator in
      var clients: [VarlinkClient] = []
      func connect() async throws {
        #expect(await eventually { () async in (try? await initiator.ping()) != nil })
        clients.append(
          try await VarlinkClient.connect(to: machine.runtimeDirectory.appending("control.sock"), until: .soon))
      }
      try await connect()
      for _ in 1...3 {
        // The strings are lent to the calls.
        let isGone = unsafe unlink(directory + "/control.sock") == 0
        #expect(isGone)
        try await connect()
      }
      let isElsewhere = unsafe rename(directory, directory + ".old") == 0
      #expect(isElsewhere)
      try await connect()
      for client in clients { _ = try await client.call("\(InitiatorInterface.name).Ping", until: .soon) }
    }
    #expect(machine.logged.all.count { $0.contains("was taken away") } == 4)
    #expect(!UnixListener.hasFile(at: machine.runtimeDirectory.appending("control.sock")))
  }

  @Test("A runtime directory that cannot be made is an error that names the socket")
  func withoutDirectory() async throws {
    let machine = try DaemonMachine()
    try machine.tree.set("run", to: .text("a file"))
    guard case .failure(let error) = await (try machine.start()).value, case .socket = error else {
      Issue.record("it ran")
      return
    }
    #expect(error.description.contains("control.sock"))
  }
}
