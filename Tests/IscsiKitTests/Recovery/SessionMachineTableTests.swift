// SPDX-License-Identifier: Apache-2.0
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Supervision of a session: what each state answers to each event")
struct SessionMachineTableTests {
  @Test("Before anything has begun")
  func new() {
    MachineTable.check(
      MachineHarness(),
      """
      begin                                                                 | logIn -> loggingIn
      adopt                                                                 | (adopted) -> up [second look]
      connectionFailed hostGone sessionDestroyed eventsLost                 | nothing
      seenUp seenDown seenGone                                              | nothing
      logoutRequested connectionDropped otherDropped sessionDropped         | (messageReceived)
      negotiationRequested unitsChanged vendorSpecific                      | (messageReceived)
      linkBefore linkSoon linkLate linkConnected                            | nothing
      linkGone                                                              | (diagnosed)
      silent silenceUnknown timer                                           | nothing
      logOut                                                                | [ends]
      """)
  }

  @Test("During a first login")
  func loggingIn() {
    var harness = MachineHarness()
    harness.handle(.begin)
    MachineTable.check(
      harness,
      """
      begin adopt silenceUnknown                                            | nothing
      connectionFailed hostGone sessionDestroyed eventsLost                 | [in doubt]
      seenUp seenDown seenGone                                              | nothing
      logoutRequested connectionDropped sessionDropped negotiationRequested | (messageReceived) [kept]
      otherDropped unitsChanged vendorSpecific                              | (messageReceived)
      linkBefore                                                            | nothing
      linkSoon linkConnected                                                | [news]
      linkLate                                                              | cancel [anew]
      linkGone                                                              | (diagnosed)
      silent timer                                                          | nothing
      logOut                                                                | cancel [ends]
      """)
  }

  @Test("Between two attempts of a first login")
  func waitingToLogIn() {
    var harness = MachineHarness { $0.loginRetryWindow = .seconds(60) }
    harness.handle(.begin)
    harness.end(.failed(.transport(.refused)))
    MachineTable.check(
      harness,
      """
      begin adopt silenceUnknown                                            | nothing
      connectionFailed hostGone sessionDestroyed eventsLost                 | nothing
      seenUp seenDown seenGone                                              | nothing
      logoutRequested connectionDropped otherDropped sessionDropped         | (messageReceived)
      negotiationRequested unitsChanged vendorSpecific                      | (messageReceived)
      linkBefore linkSoon linkLate linkConnected                            | logIn -> loggingIn
      linkGone                                                              | (diagnosed)
      silent                                                                | nothing
      timer                                                                 | logIn -> loggingIn
      logOut                                                                | (loggedOut) -> gone [ends]
      """)
  }

  @Test("In full feature phase")
  func up() {
    MachineTable.check(
      .up(),
      """
      begin adopt silenceUnknown                                            | nothing
      connectionFailed                                                      | (lost) stop -> stopping
      hostGone                                                              | destroy -> destroying [ends]
      sessionDestroyed seenGone                                             | (vanished) -> gone
      eventsLost                                                            | observe [second look]
      seenUp                                                                | nothing
      seenDown                                                              | (lost) stop -> stopping
      logoutRequested                                                       | (messageReceived) sayGoodbye -> leaving
      connectionDropped sessionDropped                                      | (messageReceived) (lost) stop -> stopping [held]
      negotiationRequested                                                  | (messageReceived) (lost) stop -> stopping
      otherDropped vendorSpecific                                           | (messageReceived)
      unitsChanged                                                          | (messageReceived) rescan
      linkBefore linkSoon linkLate linkConnected                            | nothing
      linkGone                                                              | (diagnosed)
      silent                                                                | (silent)
      timer                                                                 | nothing
      logOut                                                                | (leaving) removeDevices -> removingDevices [ends]
      """)
  }

  @Test("While the target, which has asked for it, is told goodbye")
  func leaving() {
    var harness = MachineHarness.up()
    harness.handle(MachineTable.message(.logoutRequested))
    MachineTable.check(
      harness,
      """
      begin adopt silenceUnknown                                            | nothing
      connectionFailed                                                      | nothing
      hostGone                                                              | cancel [ends]
      sessionDestroyed seenGone                                             | cancel [vanished]
      eventsLost                                                            | [in doubt]
      seenUp seenDown                                                       | nothing
      connectionDropped sessionDropped                                      | (messageReceived) [held]
      logoutRequested otherDropped negotiationRequested                     | (messageReceived)
      unitsChanged vendorSpecific                                           | (messageReceived)
      linkBefore linkSoon linkLate linkConnected                            | nothing
      linkGone                                                              | (diagnosed)
      silent timer                                                          | nothing
      logOut                                                                | [ends]
      """)
  }

  @Test("While the connection is stopped: after a loss, and after an attempt that failed, behind which a wait is due")
  func stopping() {
    var harness = MachineHarness.up()
    harness.handle(.connectionFailed(.connectionClosed))
    let rows = """
      begin adopt silenceUnknown                                            | nothing
      connectionFailed                                                      | nothing
      hostGone                                                              | cancel [ends]
      sessionDestroyed seenGone                                             | cancel [vanished]
      eventsLost                                                            | [in doubt]
      seenUp seenDown                                                       | nothing
      connectionDropped sessionDropped                                      | (messageReceived) [held]
      logoutRequested otherDropped negotiationRequested                     | (messageReceived)
      unitsChanged vendorSpecific                                           | (messageReceived)
      linkGone                                                              | (diagnosed)
      silent timer                                                          | nothing
      logOut                                                                | [ends]

      """
    MachineTable.check(harness, rows + "linkBefore linkSoon linkLate linkConnected | nothing")
    harness.end(.done)
    harness.end(.failed(.login(.timedOut)))
    MachineTable.check(harness, rows + "linkBefore linkSoon linkLate linkConnected | [sooner]")
  }

  @Test("When the stop itself has failed")
  func waitingToStop() {
    var harness = MachineHarness.up()
    harness.handle(.connectionFailed(.connectionClosed))
    harness.end(.failed(.kernel(.timedOut(.stopConnection))))
    MachineTable.check(
      harness,
      """
      begin adopt silenceUnknown                                            | nothing
      connectionFailed                                                      | nothing
      hostGone                                                              | destroy -> destroying [ends]
      sessionDestroyed seenGone                                             | (vanished) -> gone
      eventsLost                                                            | observe
      seenUp seenDown                                                       | nothing
      connectionDropped sessionDropped                                      | (messageReceived) [held]
      logoutRequested otherDropped negotiationRequested                     | (messageReceived)
      unitsChanged vendorSpecific                                           | (messageReceived)
      linkBefore linkSoon linkLate linkConnected                            | nothing
      linkGone                                                              | (diagnosed)
      silent                                                                | nothing
      timer                                                                 | stop -> stopping
      logOut                                                                | (leaving) removeDevices -> removingDevices [ends]
      """)
  }

  @Test("Between two attempts of a recovery")
  func waiting() {
    MachineTable.check(
      .waiting(),
      """
      begin adopt silenceUnknown                                            | nothing
      connectionFailed                                                      | nothing
      hostGone                                                              | destroy -> destroying [ends]
      sessionDestroyed seenGone                                             | (vanished) -> gone
      eventsLost                                                            | observe
      seenUp seenDown                                                       | nothing
      logoutRequested connectionDropped otherDropped sessionDropped         | (messageReceived)
      negotiationRequested unitsChanged vendorSpecific                      | (messageReceived)
      linkBefore linkSoon linkLate linkConnected                            | relogIn -> reloggingIn
      linkGone                                                              | (diagnosed)
      silent                                                                | nothing
      timer                                                                 | relogIn -> reloggingIn
      logOut                                                                | (leaving) removeDevices -> removingDevices [ends]
      """)
  }

  @Test("During an attempt of a recovery")
  func reloggingIn() {
    MachineTable.check(
      .reloggingIn(),
      """
      begin adopt silenceUnknown                                            | nothing
      connectionFailed eventsLost                                           | [in doubt]
      hostGone                                                              | cancel [ends]
      sessionDestroyed seenGone                                             | cancel [vanished]
      seenUp seenDown                                                       | nothing
      logoutRequested connectionDropped sessionDropped negotiationRequested | (messageReceived) [kept]
      otherDropped unitsChanged vendorSpecific                              | (messageReceived)
      linkBefore                                                            | nothing
      linkSoon linkConnected                                                | [news]
      linkLate                                                              | cancel [anew]
      linkGone                                                              | (diagnosed)
      silent timer                                                          | nothing
      logOut                                                                | cancel [ends]
      """)
  }
}

@Suite("Supervision of a session: what each state on the way out answers to each event")
struct SessionEndTableTests {
  /// What no state on the way out minds.
  private static let common = """
    begin adopt silenceUnknown                                              | nothing
    hostGone seenUp seenDown                                                | nothing
    logoutRequested connectionDropped otherDropped sessionDropped           | (messageReceived)
    negotiationRequested unitsChanged vendorSpecific                        | (messageReceived)
    linkBefore linkSoon linkLate linkConnected                              | nothing
    linkGone                                                                | (diagnosed)
    silent logOut                                                           | nothing

    """

  private func loggingOut() -> MachineHarness {
    var harness = MachineHarness.up()
    harness.handle(.logOut)
    return harness
  }

  @Test("While the devices are removed")
  func removingDevices() {
    MachineTable.check(
      loggingOut(),
      Self.common + """
        connectionFailed                                                    | [not connected]
        sessionDestroyed seenGone                                           | cancel [vanished]
        eventsLost                                                          | [in doubt]
        timer                                                               | nothing
        """)
  }

  @Test("While the target is told goodbye")
  func sayingGoodbye() {
    var harness = loggingOut()
    harness.end(.done)
    MachineTable.check(
      harness,
      Self.common + """
        connectionFailed                                                    | nothing
        sessionDestroyed seenGone                                           | cancel [vanished]
        eventsLost                                                          | [in doubt]
        timer                                                               | nothing
        """)
  }

  @Test("While the session is removed, which its own end tells")
  func destroying() {
    var harness = loggingOut()
    harness.end(.done)
    harness.end(.done)
    MachineTable.check(
      harness,
      Self.common + """
        connectionFailed sessionDestroyed                                   | nothing
        seenGone                                                            | cancel [vanished]
        eventsLost                                                          | [in doubt]
        timer                                                               | nothing
        """)
  }

  @Test("When the removal has failed")
  func waitingToDestroy() {
    var harness = loggingOut()
    harness.end(.done)
    harness.end(.done)
    harness.end(.failed(.kernel(.timedOut(.destroySessionAsync))))
    MachineTable.check(
      harness,
      Self.common + """
        connectionFailed                                                    | nothing
        sessionDestroyed seenGone                                           | (loggedOut) -> gone
        eventsLost                                                          | observe
        timer                                                               | destroy -> destroying
        """)
  }

  @Test("During a login that is broken off for a logout")
  func brokenOff() {
    var first = MachineHarness()
    first.handle(.begin)
    first.handle(.logOut)
    let rows = """
      begin adopt silenceUnknown seenUp seenDown                            | nothing
      logoutRequested connectionDropped sessionDropped negotiationRequested | (messageReceived) [kept]
      otherDropped unitsChanged vendorSpecific                              | (messageReceived)
      linkBefore linkSoon linkLate linkConnected                            | nothing
      linkGone                                                              | (diagnosed)
      silent timer logOut                                                   | nothing

      """
    MachineTable.check(
      first,
      rows + """
        hostGone                                                            | nothing
        connectionFailed sessionDestroyed eventsLost                        | [in doubt]
        seenGone                                                            | nothing
        """)
    var again = MachineHarness.reloggingIn()
    again.handle(.logOut)
    MachineTable.check(
      again,
      rows + """
        hostGone                                                            | nothing
        connectionFailed eventsLost                                         | [in doubt]
        sessionDestroyed seenGone                                           | cancel [vanished]
        """)
  }

  @Test("After the end")
  func gone() {
    var harness = MachineHarness.up()
    harness.handle(.sessionDestroyed)
    MachineTable.check(harness, MachineTable.events.map { "\($0.name) | nothing" }.joined(separator: "\n"))
  }
}
