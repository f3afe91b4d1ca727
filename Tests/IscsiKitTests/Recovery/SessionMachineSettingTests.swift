// SPDX-License-Identifier: Apache-2.0
import SystemPackage
import Testing

@testable import IscsiKit

/// How a session has come where it is, and when the kernel takes settings there.
private struct SettingCase: CustomTestStringConvertible {
  let testDescription: String
  let time: SessionMachine.SettingTime
  let begin: @Sendable () -> MachineHarness

  private init(
    _ description: String, _ time: SessionMachine.SettingTime, _ begin: @escaping @Sendable () -> MachineHarness
  ) {
    testDescription = description
    self.time = time
    self.begin = begin
  }

  private static func after(
    _ events: SessionMachine.Event..., from start: MachineHarness = .up()
  ) -> MachineHarness {
    var harness = start
    for event in events { harness.handle(event) }
    return harness
  }

  static let all = [
    SettingCase("new", .never) { MachineHarness() },
    SettingCase("the first login", .never) { after(.begin, from: MachineHarness()) },
    SettingCase("up", .now) { .up() },
    SettingCase("stopping", .whenBack) { after(.connectionFailed(.connectionClosed)) },
    SettingCase("the stop has failed", .whenBack) {
      after(.connectionFailed(.connectionClosed), .ended(.stop, .failed(.noSession)))
    },
    SettingCase("the relogin", .whenBack) { .reloggingIn() },
    SettingCase("between attempts", .whenBack) { .waiting() },
    SettingCase("the target wants a logout", .whenBack) { after(.message(AsyncMessagePDU(event: .logoutRequested))) },
    SettingCase("stopping, and then to end", .never) { after(.connectionFailed(.connectionClosed), .logOut) },
    SettingCase("the logout", .never) { after(.logOut) },
    SettingCase("gone", .never) { after(.observed(.gone)) },
  ]
}

extension MachineHarness {
  /// Lets everything succeed until the session is up; all that was wanted until then.
  fileprivate mutating func comeBack() -> [SessionMachine.Action] {
    var all: [SessionMachine.Action] = []
    for _ in 0..<20 where !machine.isUp {
      #expect(!all.contains(.applySettings))
      if machine.operation == nil { wake() } else { end(.done) }
      all += actions
    }
    #expect(machine.isUp)
    return all
  }
}

@Suite("Supervision of a session: settings")
struct SessionMachineSettingTests {
  @Test("When the kernel takes settings", arguments: SettingCase.all)
  private func time(test: SettingCase) {
    #expect(test.begin().machine.settingTime == test.time)
  }

  @Test(
    "What is kept is set once, as soon as the session is back",
    arguments: SettingCase.all.filter { $0.time == .whenBack })
  private func deferred(test: SettingCase) {
    var harness = test.begin()
    harness.handle(.settingsDeferred)
    #expect(harness.actions == [])
    #expect(harness.comeBack().count { $0 == .applySettings } == 1)
    harness.handle(.connectionFailed(.connectionClosed))
    #expect(!harness.comeBack().contains(.applySettings))
  }

  @Test("What an earlier supervisor has kept is set at once in a session that is up")
  func adopted() {
    var harness = MachineHarness()
    harness.handle(.settingsDeferred)
    harness.handle(.adopt(.up(isScanned: true)))
    #expect(harness.actions == [.notify(.adopted), .applySettings])
  }

  @Test("A loss that is known after its settings are kept has them set all the same")
  func lateLoss() {
    var harness = MachineHarness.up()
    harness.handle(.settingsDeferred)
    harness.handle(.connectionFailed(.connectionClosed))
    #expect(harness.comeBack().contains(.applySettings))
  }
}
