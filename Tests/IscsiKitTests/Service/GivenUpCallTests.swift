// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import Testing

@testable import IscsiKit

@Suite("Calls of the daemon that last", .timeLimit(.minutes(2)))
struct GivenUpCallTests {
  @Test("Logouts that were given up, however many, take no place of other clients")
  func logouts() async throws {
    let machine = try DaemonMachine()
    try await machine.withDaemon { initiator in
      let session = try await machine.logIn(initiator)
      machine.kernel.inject(.withoutEvent, into: .unbindSession)
      for number in 0..<140 {
        let logout = Task { try await initiator.logOut(InitiatorTypes.LogoutInput(sessions: [session])) }
        if number == 0 {
          #expect(
            await eventually { () async in
              (try? await initiator.recoveries())?[SessionID(rawValue: session)]?.phase == "loggingOut"
            })
        } else {
          // So that most calls come to the daemon before they are given up.
          try await Task.sleep(for: .milliseconds(5))
        }
        logout.cancel()
        _ = await logout.result
      }
      #expect(try await initiator.ping().sessions == 1)
      let host = machine.kernel.sessions[SessionID(rawValue: session)]?.host.rawValue ?? 0
      machine.kernel.multicast(.sessionUnbound, words: [session, host])
      #expect(await eventually { machine.kernel.sessions.isEmpty })
    }
  }

  @Test("Logins of which one message cannot have all are made side by side")
  func manyLogins() async throws {
    let machine = try DaemonMachine()
    try await machine.withDaemon { initiator in
      var logins = (0..<256).map { index in
        var dead = machine.login()
        dead.portal = "127.1.0.\(index):1"
        dead.timeouts?.loginRetryWindow = 60
        return dead
      }
      logins.append(machine.login())
      let (input, ended) = (InitiatorTypes.LoginInput(logins: logins), Notes<Int>())
      let login = Task {
        try await initiator.login(input) { index, step in
          if step == .end { ended.add(index) }
        }
      }
      #expect(await eventually { ended.all == [256] })
      login.cancel()
      _ = await login.result
      #expect(await eventually { () async in (try? await initiator.ping().sessions) == 1 })
    }
  }
}
