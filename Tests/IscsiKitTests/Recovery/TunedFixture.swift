// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import Synchronization
import SystemPackage
import Testing

@testable import IscsiKit

/// Whether a target refuses logins.
private final class Door: Sendable {
  let isClosed = Atomic(false)
}

/// A session of a supervised fixture with a disk, whose sysfs shows what the kernel is told.
final class TunedFixture {
  let base: SupervisedFixture
  let session: SessionID
  let host: HostNumber
  private let door = Door()
  var tree: FilePath { base.base.tree.root }

  /// A session, of whose parameters the kernel ignores some.
  init(ignoring ignored: Set<UInt32> = [], _ change: (inout LoginRequest) -> Void = { _ in }) async throws {
    let (target, door) = (try testTarget(), door)
    base = try await SupervisedFixture { _ in
      var target = target
      target.login.refusal = door.isClosed.load(ordering: .relaxed) ? .serviceUnavailable : nil
      return target
    }
    let fixture = base
    session = try await fixture.logIn(change)
    let host = try #require(fixture.kernel.sessions[session]).host
    self.host = host
    fixture.kernel.showTimeouts(in: fixture.base.tree.root, ignoring: ignored)
    try addDisk(1, "sda")
  }

  /// Loses the session, whose target lets nobody in until `comeBack`.
  func lose() async {
    door.isClosed.store(true, ordering: .relaxed)
    base.kernel.failConnection(of: session)
    #expect(await base.happened(.attemptFailed))
  }

  /// Has the target drop the session and ask for a pause that outlasts the test.
  func pause() async {
    var message = AsyncMessagePDU(event: .sessionDropped)
    message.parameter2 = 3600
    base.deliver(message, to: session)
    #expect(await eventually { base.supervision(session)?.outage?.nextAttempt != nil })
  }

  /// Lets the target take the session again, and waits until it is back.
  func comeBack() async {
    door.isClosed.store(false, ordering: .relaxed)
    #expect(await base.recoveries(session))
  }

  /// What is to be set when the session is back, as a later manager would find it.
  var due: TimeoutSettings? { base.base.registry.read(session)?.due }

  /// Lets sysfs show a disk with the kernel's own timers.
  func addDisk(_ lun: UInt64, _ block: String) throws {
    try base.show(session) { $0.devices = [.example(host: self.host, lun: lun, block: block)] }
    try setScheduler(of: block, lun, to: "bfq ")
  }

  /// What is written into a file of this sysfs leaves what is behind it, so that texts that are written over are one word, as
  /// long as the next one.
  func setScheduler(of block: String = "sda", _ lun: UInt64 = 1, to text: String) throws {
    try set("block/\(block)/queue/scheduler", of: lun, to: text)
  }

  /// Tries what would become of settings, with a disk that lists its schedulers as the kernel does.
  func tryOut(_ settings: TimeoutSettings, schedulers: String) async throws -> [SettingOutcome] {
    let former = try #require(try contents("block/sda/queue/scheduler"))
    try setScheduler(to: schedulers)
    let outcomes = try await set(settings, isTrial: true)
    #expect(try contents("block/sda/queue/scheduler") == schedulers, "a trial changes nothing")
    try setScheduler(to: former)
    return outcomes
  }

  /// The path of an attribute of a disk, below the root of this sysfs.
  func path(of attribute: String, lun: UInt64) -> String { "\(path(lun))/\(attribute)" }

  private func path(_ lun: UInt64) -> String {
    "class/iscsi_session/session\(session)/device/target\(host):0:0/\(host):0:0:\(lun)"
  }

  func set(_ attribute: String, of lun: UInt64, to text: String) throws {
    try base.base.tree.set("\(path(lun))/\(attribute)", to: .text(text))
  }

  /// Puts a pipe in the place of an attribute: whoever opens it waits. Its path.
  func replaceByPipe(_ attribute: String, of lun: UInt64) throws -> FilePath {
    let file = tree.appending("\(path(lun))/\(attribute)")
    _ = try TestProcess.run(["rm", file.string])
    _ = try TestProcess.run(["mkfifo", file.string])
    return file
  }

  func contents(_ attribute: String, of lun: UInt64 = 1) throws -> String? {
    try base.base.tree.contents("\(path(lun))/\(attribute)")
  }

  var recoveryTimeout: String? {
    get throws { try base.base.tree.contents("class/iscsi_session/session\(session)/recovery_tmo") }
  }

  func set(_ settings: TimeoutSettings, isTrial: Bool = false) async throws -> [SettingOutcome] {
    try await base.manager.set(settings, of: session, isTrial: isTrial)
  }

  /// The settings, results and notes of outcomes.
  static func words(_ outcomes: [SettingOutcome]) -> [String] {
    outcomes.map { "\($0.setting) \($0.old ?? "-") \($0.new) \($0.result.rawValue) \($0.note?.word ?? "-")" }
  }
}
