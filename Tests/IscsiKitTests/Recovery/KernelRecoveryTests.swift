// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Recovery through the kernel", .timeLimit(.minutes(2)))
struct KernelRecoveryTests {
  private static let login = ["18 flag 3", "15", "19 43", "17"]

  @Test("A lost connection is stopped, bound, logged in and started, and nothing else is asked of the kernel")
  func lost() async throws {
    let fixture = try await SupervisedFixture()
    let session = try await fixture.logIn()
    let count = fixture.kernel.requests.count
    fixture.kernel.failConnection(of: session)
    #expect(await fixture.recoveries(session))
    #expect(fixture.requests(after: count) == Self.login)
    #expect(fixture.kernel.sessions[session]?.connection == .up && fixture.kernel.sessions.count == 1)
    #expect(fixture.kernel.violations == [])
    let supervision = try #require(fixture.supervision(session))
    #expect(supervision.outage == nil && supervision.portal == fixture.base.portal)
    let outage = try #require(supervision.lastOutage)
    #expect(outage.cause == .kernel(.connectionClosed) && outage.attempts == 1 && outage.lastFailure == nil)
    #expect(try #require(outage.end) >= outage.since)
    #expect(await fixture.happened(.recovered))
    #expect(fixture.kinds == [.loggedIn, .lost, .recovered])
    let first = try #require(fixture.events.first).sequence
    #expect(fixture.events.map(\.sequence) == [first, first + 1, first + 2])
    #expect(fixture.events.allSatisfy { $0.session == session && $0.portal == fixture.base.portal })
    #expect(fixture.events[1].kernelError == .connectionClosed)
    #expect(fixture.events[2].attempt == 1 && fixture.events[2].outage != nil)
  }

  @Test("The session is the same to the target: ISID as before, TSIH 0")
  func sameSession() async throws {
    let fixture = try await SupervisedFixture()
    let session = try await fixture.logIn()
    fixture.kernel.failConnection(of: session)
    #expect(await fixture.recoveries(session))
    let headers = fixture.loginRequests.map { Array($0.header[8..<16]) }
    #expect(headers.count == 2 && headers[0] == headers[1])
    #expect(headers[0].suffix(2) == [0, 0])
    #expect(fixture.loginRequests[0].data == fixture.loginRequests[1].data)
  }

  @Test("What the session was logged in with, and what was set on it since, is sent again")
  func options() async throws {
    let fixture = try await SupervisedFixture()
    let session = try await fixture.logIn {
      $0.options.timeouts.replacement = .seconds(77)
      $0.options.timeouts.abort = .seconds(11)
      $0.options.interfaceName = "iface0"
    }
    try await fixture.manager.set(TimeoutSettings([.replacement: .off, .luReset: 44]), of: session)
    #expect(fixture.kernel.sessions[session]?.parameters[19] == "-1")
    let count = fixture.kernel.requests.count
    fixture.kernel.failConnection(of: session)
    #expect(await fixture.recoveries(session))
    let texts = fixture.kernel.requests.dropFirst(count).filter { $0.type == .setParameter }
      .reduce(into: [UInt32: String]()) { $0[$1.parameter] = $1.text }
    #expect(texts[19] == "-1" && texts[27] == "11" && texts[28] == "44" && texts[32] == "iface0")
    #expect(texts[18] == String(fixture.base.portal.port))
    #expect(fixture.base.registry.read(session)?.request.options.timeouts.luReset == .seconds(44))
  }

  @Test("The deadline of I/O is the loss and the replacement timeout that was set then")
  func deadline() async throws {
    let fixture = try await SupervisedFixture()
    let session = try await fixture.logIn()
    try fixture.show(session) { $0.replacementTimeout = 9 }
    fixture.kernel.failConnection(of: session)
    #expect(await fixture.recoveries(session))
    let outage = try #require(fixture.supervision(session)?.lastOutage)
    #expect(outage.replacementTimeout == 9)
    let told = InitiatorTypes.Outage(outage)
    #expect(told.deadline == told.since + 9)
    #expect(OutageFacts(told).deadline == .at(told.since + 9))
  }

  @Test("Two changes at a time are both kept")
  func setTwice() async throws {
    let fixture = try await SupervisedFixture()
    let session = try await fixture.logIn()
    for round in 1...20 {
      let manager = fixture.manager
      let value = TimeoutValue.seconds(UInt32(round))
      async let first = manager.set(TimeoutSettings([.abort: value]), of: session)
      async let second = manager.set(TimeoutSettings([.luReset: value]), of: session)
      _ = try await (first, second)
      let kept = try #require(fixture.base.registry.read(session)).request.options.timeouts
      #expect(kept.abort == .seconds(round) && kept.luReset == .seconds(round))
    }
  }

  @Test(
    "A target that refuses for a while is asked until it accepts, whatever its words",
    arguments: [LoginStatus.authenticationFailure, .serviceUnavailable, .outOfResources, .notFound])
  func refused(status: LoginStatus) async throws {
    let fixture = try await SupervisedFixture(refusing: status, upTo: 3)
    let session = try await fixture.logIn()
    let count = fixture.kernel.requests.count
    fixture.kernel.failConnection(of: session)
    #expect(await fixture.recoveries(session))
    let refusal = Array(Self.login.dropLast())
    #expect(fixture.requests(after: count) == refusal + refusal + Self.login)
    #expect(fixture.kernel.violations == [])
    let outage = try #require(fixture.supervision(session)?.lastOutage)
    #expect(outage.attempts == 3)
    // With credentials or without, the status is told.
    #expect(outage.lastFailure?.number == 2 && outage.lastFailure?.portal == fixture.base.portal)
    #expect(await fixture.happened(.recovered))
    #expect(fixture.kinds == [.loggedIn, .lost, .attemptFailed, .attemptFailed, .recovered])
    #expect(fixture.events.compactMap(\.attempt) == [1, 2, 3])
    #expect(fixture.events[2].nextAttempt != nil)
  }

  @Test("A target that is away is tried again, and found when it is back")
  func away() async throws {
    let fixture = try await SupervisedFixture()
    let session = try await fixture.logIn()
    let count = fixture.kernel.requests.count
    fixture.base.peers[0].close()
    fixture.kernel.failConnection(of: session)
    #expect(await fixture.happened(.attemptFailed, 2))
    // Without a connection, the session stays stopped, and the kernel is asked for nothing.
    #expect(fixture.requests(after: count) == ["18 flag 3"])
    let outage = try #require(fixture.supervision(session)?.outage)
    #expect(outage.lastFailure?.cause == .transport(.refused) && outage.attempts >= 2)
    #expect(fixture.supervision(session)?.phase == .recovering)
  }

  @Test("Recovery that has a limit is given up, and the session is removed")
  func gaveUp() async throws {
    let fixture = try await SupervisedFixture(refusing: .authorizationFailure, upTo: 99)
    let session = try await fixture.logIn { $0.options.recoveryLimit = 2 }
    fixture.kernel.failConnection(of: session)
    #expect(await fixture.happened(.gaveUp))
    #expect(fixture.kinds == [.loggedIn, .lost, .attemptFailed, .attemptFailed, .gaveUp])
    #expect(fixture.events.last?.attempt == 2)
    #expect(fixture.manager.supervisions().isEmpty && fixture.base.registry.read(session) == nil)
    await fixture.base.expectNothingLeft()
  }

  @Test("A redirect in recovery is followed with the same session", arguments: [false, true])
  func redirect(permanently: Bool) async throws {
    let target = try testTarget()
    let other = try LoopbackTarget { _ in SilentNode() }
    let (portal, port) = (other.portal, other.portal.port)
    let fixture = try await SupervisedFixture { session in
      var target = target
      target.login.redirectsPermanently = permanently
      // Only the second login at the first portal is sent on.
      if session.bindCount == 2 { target.login.redirect = portal }
      return target
    }
    let session = try await fixture.logIn()
    let count = fixture.kernel.requests.count
    fixture.kernel.failConnection(of: session)
    #expect(await fixture.recoveries(session))
    // The socket of the first answer goes before that of the second comes.
    #expect(fixture.requests(after: count) == Array(Self.login.dropLast()) + Self.login)
    #expect(fixture.kernel.sessions[session]?.peerPort == port)
    #expect(fixture.supervision(session)?.portal == portal && fixture.supervision(session)?.lastOutage?.attempts == 1)
    #expect(fixture.base.registry.read(session)?.home == (permanently ? portal : nil))
    #expect(await fixture.happened(.recovered))
    #expect(fixture.kinds == [.loggedIn, .lost, .redirected] + (permanently ? [.moved, .recovered] : [.recovered]))
    // The portal of the record stays.
    #expect(fixture.kernel.sessions[session]?.parameters[18] == String(fixture.base.portal.port))

    // The next loss: a connection to where it was lost is tried first, and a dead one leads home.
    other.close()
    fixture.kernel.failConnection(of: session)
    if permanently {
      #expect(await fixture.happened(.attemptFailed, 2))
      #expect(fixture.events.last { $0.kind == .attemptFailed }?.portal == portal)
    } else {
      #expect(await fixture.recoveries(session, 2))
      #expect(fixture.kernel.sessions[session]?.peerPort == fixture.base.portal.port)
    }
    #expect(fixture.kernel.violations == [])
  }

  @Test("A link that comes back makes the next attempt come at once")
  func networkRestored() async throws {
    let fixture = try await SupervisedFixture(refusing: .serviceUnavailable, upTo: 12)
    let session = try await fixture.logIn()
    fixture.kernel.failConnection(of: session)
    // Eleven refusals take half a minute by the timers alone.
    let start = ContinuousClock.now
    #expect(
      await eventually {
        fixture.manager.networkRestored()
        return fixture.supervision(session)?.recoveries == 1
      })
    #expect(.now - start < .seconds(15))
    #expect(fixture.supervision(session)?.lastOutage?.attempts == 12)
    #expect(fixture.kernel.violations == [])
  }

  @Test("A stop that the kernel refuses is made again")
  func stopFails() async throws {
    let fixture = try await SupervisedFixture()
    let session = try await fixture.logIn()
    // What sysfs shows of a connection whose failure user space has not answered yet.
    fixture.kernel.inject(.refuse(.noMemory), into: .stopConnection)
    fixture.kernel.failConnection(of: session)
    #expect(await fixture.recoveries(session))
    #expect(fixture.kernel.violations == [])
  }

  @Test(
    "A request of a relogin that fails is a failed attempt",
    arguments: [KernelMessageType.bindConnection, .setParameter, .sendPDU, .startConnection])
  func faults(type: KernelMessageType) async throws {
    let fixture = try await SupervisedFixture()
    let session = try await fixture.logIn()
    fixture.kernel.inject(.refuse(.noMemory), into: type)
    fixture.kernel.failConnection(of: session)
    #expect(await fixture.recoveries(session))
    #expect(fixture.supervision(session)?.lastOutage?.attempts == 2)
    #expect(fixture.kernel.violations == [])
  }

  @Test("A connection that is lost again and again comes back each time")
  func again() async throws {
    let fixture = try await SupervisedFixture()
    let session = try await fixture.logIn()
    for count in 1...5 {
      fixture.kernel.failConnection(of: session)
      #expect(await fixture.recoveries(session, count))
    }
    #expect(fixture.loginRequests.count == 6 && fixture.kernel.violations == [])
  }
}
