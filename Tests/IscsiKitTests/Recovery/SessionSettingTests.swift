// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import Synchronization
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Settings of a session that is up")
struct SessionSettingTests {
  @Test("What is set is told by what sysfs shows before and after")
  func outcomes() async throws {
    let fixture = try await TunedFixture()
    let wanted = TimeoutSettings([
      .replacement: .off, .noopInterval: 3, .noopTimeout: 5, .abort: 7, .luReset: 8, .targetReset: 9,
    ])
    let expected = [
      "noop-interval 5 3 changed afterInterval", "noop-timeout 5 5 unchanged -",
      "replacement-timeout 120 off changed -",
      "abort-timeout 15 7 changed -", "lu-reset-timeout 30 8 changed -", "target-reset-timeout 30 9 changed -",
    ]
    let count = fixture.base.kernel.requests.count
    #expect(TunedFixture.words(try await fixture.set(wanted, isTrial: true)) == expected)
    #expect(fixture.base.kernel.requests.count == count, "a trial asks the kernel for nothing")
    let outcomes = try await fixture.set(wanted)
    #expect(TunedFixture.words(outcomes) == expected)
    #expect(outcomes.map(\.place) == [.connection, .connection, .session, .session, .session, .session])
    #expect(try fixture.recoveryTimeout == "off")
    let again = try await fixture.set(wanted)
    #expect(again.allSatisfy { $0.result == .unchanged && $0.note == nil })
    let kept = try #require(fixture.base.base.registry.read(fixture.session)).request.options.timeouts
    #expect(kept.replacement == nil && kept.noopInterval == .seconds(3) && kept.targetReset == .seconds(9))
  }

  @Test("A timeout that somebody has written by hand is found, told, and written there too")
  func handWritten() async throws {
    // From then on the kernel ignores requests, and answers as ever.
    let fixture = try await TunedFixture(ignoring: [19])
    try fixture.base.base.tree.set("recovery_tmo", of: fixture.session, to: .text("77"))
    let outcomes = try await fixture.set(TimeoutSettings([.replacement: 55]))
    #expect(TunedFixture.words(outcomes) == ["replacement-timeout 77 55 changed handWritten"])
    #expect(outcomes.first?.note == .handWritten("77"))
    #expect(try fixture.recoveryTimeout == "55")
    #expect(try await fixture.set(TimeoutSettings([.replacement: 55])).map(\.result) == [.unchanged])
  }

  @Test("What the kernel takes and does not have afterwards has failed")
  func ignored() async throws {
    let fixture = try await TunedFixture(ignoring: [27])
    let outcomes = try await fixture.set(TimeoutSettings([.abort: 3, .luReset: 4]))
    #expect(
      TunedFixture.words(outcomes) == ["abort-timeout 15 3 failed keptByKernel", "lu-reset-timeout 30 4 changed -"])
  }

  @Test("NOP-Outs that were off begin with the next login, which is said until then")
  func noops() async throws {
    let fixture = try await TunedFixture { $0.options.timeouts.noopInterval = .zero }
    let wanted = TimeoutSettings([.noopInterval: 2, .noopTimeout: 3])
    let late = ["noop-interval 0 2 atNextLogin noopsStartAtLogin", "noop-timeout 0 3 atNextLogin noopsStartAtLogin"]
    #expect(TunedFixture.words(try await fixture.set(wanted, isTrial: true)) == late)
    #expect(TunedFixture.words(try await fixture.set(wanted)) == late)
    let again = ["noop-interval 2 2 atNextLogin noopsStartAtLogin", "noop-timeout 3 3 atNextLogin noopsStartAtLogin"]
    #expect(TunedFixture.words(try await fixture.set(wanted)) == again)
    fixture.base.kernel.failConnection(of: fixture.session)
    #expect(await fixture.base.recoveries(fixture.session))
    #expect(try await fixture.set(wanted).allSatisfy { $0.result == .unchanged && $0.note == nil })
  }

  @Test("Half of the check by NOP-Outs is none, which is said with either half")
  func halfACheck() async throws {
    let fixture = try await TunedFixture()
    #expect(
      TunedFixture.words(try await fixture.set(TimeoutSettings([.noopInterval: 0])))
        == ["noop-interval 5 0 changed noopsAreOff"])
    #expect(
      TunedFixture.words(try await fixture.set(TimeoutSettings([.noopTimeout: 4])))
        == ["noop-timeout 0 4 unchanged noopsAreOff"])
  }

  @Test("Disks are set, and so are those that a later scan finds, also by a later manager")
  func disks() async throws {
    let fixture = try await TunedFixture { $0.options.scan = .all }
    let wanted = TimeoutSettings([.device: 90, .deviceErrorHandling: 12], scheduler: IOScheduler.none)
    let expected = [
      "device-timeout 30 90 changed -", "device-eh-timeout 10 12 changed -", "io-scheduler bfq none changed -",
    ]
    let tried = try await fixture.tryOut(wanted, schedulers: "mq-deadline [bfq] none")
    #expect(TunedFixture.words(tried) == expected)
    #expect(try fixture.contents("timeout") == "30")
    let outcomes = try await fixture.set(wanted)
    #expect(TunedFixture.words(outcomes) == expected)
    #expect(outcomes.allSatisfy { $0.place == .device("\(fixture.host):0:0:1") })
    #expect(try fixture.contents("timeout") == "90" && fixture.contents("eh_timeout") == "12")
    #expect(try fixture.contents("block/sda/queue/scheduler") == "none")
    let request = try #require(fixture.base.base.registry.read(fixture.session)).request
    #expect(request.options.devices == DeviceSettings(wanted))
    // As it is stored for the next daemon.
    let stored = try LoginDescription(request).request { () throws(LoginDescriptionError) in request.initiator }
    #expect(stored.options.devices == DeviceSettings(wanted))

    try fixture.addDisk(2, "sdb")
    let found = await fixture.base.manager.rescan([fixture.session])
    #expect(try found.first?.get().count == 2)
    #expect(try fixture.contents("timeout", of: 2) == "90" && fixture.contents("eh_timeout", of: 2) == "12")
    #expect(try fixture.contents("block/sdb/queue/scheduler", of: 2) == "none")
    try fixture.set("timeout", of: 2, to: "30")
    fixture.base.kernel.failConnection(of: fixture.session)
    #expect(await fixture.base.recoveries(fixture.session))
    #expect(await eventually { (try? fixture.contents("timeout", of: 2)) == "90" })
  }

  @Test("A disk without the scheduler, and a host that takes no deadline, are failures of their own")
  func refused() async throws {
    let fixture = try await TunedFixture()
    try fixture.base.base.tree.set("class/scsi_host/host\(fixture.host)/eh_deadline", to: .unreadable)
    let outcomes = try await fixture.set(TimeoutSettings([.device: 20, .hostErrorHandling: 9]))
    #expect(
      TunedFixture.words(outcomes) == [
        "device-timeout 30 20 changed -", "host-eh-deadline - 9 failed refused",
      ])
    #expect(outcomes.last?.place == .host(fixture.host))
  }

  @Test("A host whose driver takes a deadline has it, and has none again")
  func hostDeadline() async throws {
    let fixture = try await TunedFixture()
    let file = "class/scsi_host/host\(fixture.host)/eh_deadline"
    try fixture.base.base.tree.set(file, to: .text("off"))
    let set = try await fixture.set(TimeoutSettings([.hostErrorHandling: 120]))
    #expect(TunedFixture.words(set) == ["host-eh-deadline off 120 changed -"])
    #expect(try fixture.base.base.tree.contents(file) == "120")
    let off = try await fixture.set(TimeoutSettings([.hostErrorHandling: .off]))
    #expect(TunedFixture.words(off) == ["host-eh-deadline 120 off changed -"])
    #expect(try await fixture.set(TimeoutSettings([.hostErrorHandling: .off])).map(\.result) == [.unchanged])
  }

  @Test("A disk that keeps its writer waiting fails alone, and what was set is kept")
  func waitingDisk() async throws {
    let fixture = try await TunedFixture()
    let pipe = try fixture.replaceByPipe("block/sda/queue/scheduler", of: 1)
    let wanted = TimeoutSettings([.replacement: 33, .device: 20], scheduler: IOScheduler.none)
    let outcomes = try await fixture.set(wanted)
    #expect(
      TunedFixture.words(outcomes) == [
        "replacement-timeout 120 33 changed -", "device-timeout - 20 failed refused",
        "io-scheduler - none failed refused",
      ])
    let request = try #require(fixture.base.base.registry.read(fixture.session)).request
    #expect(request.options.timeouts.replacement == .seconds(33) && request.options.devices.timeout == 20)
    // Who waits goes on: others need the thread.
    let file = try FileDescriptor.open(pipe, .readWrite)
    try file.closeAfter {
      _ = try file.writeAll("[none]\n".utf8)
    }
  }

  @Test("A disk that keeps its writer waiting keeps no other from its turn")
  func besideWaitingDisk() async throws {
    let fixture = try await TunedFixture()
    try fixture.addDisk(2, "sdb")
    let pipe = try fixture.replaceByPipe("block/sda/queue/scheduler", of: 1)
    let (manager, session) = (fixture.base.manager, fixture.session)
    let wanted = TimeoutSettings([.device: 20], scheduler: .bfq)
    let setting = Task { try await manager.set(wanted, of: session) }
    #expect(await eventually { (try? fixture.contents("timeout", of: 2)) == "20" })
    // The first one still waits, until now.
    let file = try FileDescriptor.open(pipe, .readWrite)
    try file.closeAfter { _ = try file.writeAll("[bfq]\n".utf8) }
    #expect(try await setting.value.map(\.place) == [1, 1, 2, 2].map { .device("\(fixture.host):0:0:\($0)") })
  }

  @Test("What the kernel took before it refused something is told, and so is what it refused")
  func halfRefused() async throws {
    let fixture = try await TunedFixture()
    fixture.base.kernel.inject(.refuse(.socketNotConnected), into: .setParameter, skip: 1)
    let outcomes = try await fixture.set(TimeoutSettings([.abort: 7, .luReset: 8]))
    #expect(
      TunedFixture.words(outcomes) == ["abort-timeout 15 7 changed -", "lu-reset-timeout 30 8 failed refused"])
  }

  @Test("What the kernel took and does not show any more is told as that, and kept")
  func vanished() async throws {
    let fixture = try await TunedFixture()
    let shown = fixture.tree.appending("class/iscsi_session/session\(fixture.session)").string
    fixture.base.kernel.tellParameters { _, number, _ in
      if number == 27 { _ = try? TestProcess.run(["rm", "-rf", shown]) }
    }
    let outcomes = try await fixture.set(TimeoutSettings([.abort: 7]))
    #expect(TunedFixture.words(outcomes) == ["abort-timeout 15 7 failed refused"])
    let kept = try #require(fixture.base.base.registry.read(fixture.session)).request.options.timeouts
    #expect(kept.abort == .seconds(7))
  }

  @Test("A scheduler that was set is let go of: disks have the kernel's, and later ones what they come with")
  func schedulerReset() async throws {
    let fixture = try await TunedFixture { $0.options.scan = .all }
    var reset = TimeoutSettings()
    reset.resetsScheduler = true
    #expect(try await fixture.set(reset) == [], "nothing was set before")
    _ = try await fixture.set(TimeoutSettings([:], scheduler: IOScheduler.none))
    #expect(try fixture.contents("block/sda/queue/scheduler") == "none")
    try fixture.setScheduler(to: "[none]     ")
    let expected = ["io-scheduler none mq-deadline changed -"]
    #expect(TunedFixture.words(try await fixture.tryOut(reset, schedulers: "[none] mq-deadline")) == expected)
    #expect(TunedFixture.words(try await fixture.set(reset)) == expected)
    #expect(try #require(fixture.base.base.registry.read(fixture.session)).request.options.devices.scheduler == nil)
    try fixture.addDisk(2, "sdb")
    _ = await fixture.base.manager.rescan([fixture.session])
    #expect(try fixture.contents("block/sdb/queue/scheduler", of: 2) == "bfq ")
    #expect(try await fixture.set(reset) == [])
  }

  @Test("What is set during a recovery is kept and told, and set at once where it can be")
  func recovering() async throws {
    let fixture = try await TunedFixture()
    await fixture.pause()
    let wanted = TimeoutSettings(
      [.noopInterval: 3, .noopTimeout: 5, .replacement: 33, .abort: 7, .device: 90], scheduler: IOScheduler.none)
    let expected = [
      "noop-interval 5 3 atNextLogin whenBack", "noop-timeout 5 5 unchanged -",
      "replacement-timeout 120 33 changed afterOutage", "abort-timeout 15 7 atNextLogin whenBack",
      "device-timeout 30 90 changed -", "io-scheduler bfq none atNextLogin whenBack",
    ]
    try fixture.setScheduler(to: "[bfq] none")
    #expect(TunedFixture.words(try await fixture.set(wanted, isTrial: true)) == expected)
    #expect(try fixture.due == TimeoutSettings() && fixture.recoveryTimeout == "120")
    #expect(TunedFixture.words(try await fixture.set(wanted)) == expected)
    // The kernel has what it takes without a connection, and nothing else.
    #expect(try fixture.recoveryTimeout == "33" && fixture.contents("timeout") == "90")
    #expect(try fixture.contents("block/sda/queue/scheduler") == "[bfq] none")
    #expect(fixture.base.kernel.sessions[fixture.session]?.parameters[27] == "15")
    let due = TimeoutSettings([:], scheduler: wanted.scheduler).merged(with: wanted.inKernel)
    #expect(fixture.due == due)
    // Who asks is told what is held, as the interface has it.
    let told = try #require(fixture.base.supervision(fixture.session).map { InitiatorTypes.Recovery($0, owner: nil) })
    #expect(told.due == due && told.dueTimeouts?.abort == 7 && told.dueScheduler == "none")
    // No program is asked what the kernel could load: its disk may be the one that is away.
    let missing = try await fixture.tryOut(TimeoutSettings([:], scheduler: .mqDeadline), schedulers: "[none]")
    #expect(missing.map(\.result) == [.atNextLogin])
    // The last one counts.
    let later = try await fixture.set(TimeoutSettings([.abort: 8]))
    #expect(TunedFixture.words(later) == ["abort-timeout 15 8 atNextLogin whenBack"])
    #expect(fixture.due?[.abort] == 8 && fixture.due?[.replacement] == 33)
  }

  @Test("What was set during a recovery is so when the session is back")
  func recovered() async throws {
    let fixture = try await TunedFixture()
    await fixture.lose()
    let wanted = TimeoutSettings([.noopInterval: 3, .replacement: 33, .abort: 7], scheduler: IOScheduler.none)
    try fixture.setScheduler(to: "[bfq] none")
    #expect(try await fixture.set(wanted).allSatisfy { $0.result != .failed })
    try fixture.setScheduler(to: "bfq ")
    await fixture.comeBack()
    #expect(await eventually { fixture.due == TimeoutSettings() })
    let parameters = try #require(fixture.base.kernel.sessions[fixture.session]).parameters
    #expect(parameters[19] == "33" && parameters[27] == "7" && parameters[31] == "3")
    #expect(await eventually { (try? fixture.contents("block/sda/queue/scheduler")) == "none" })
    #expect(try await fixture.set(wanted).allSatisfy { $0.result == .unchanged })
  }

  @Test("A scheduler that is let go of during a recovery is the kernel's when the session is back")
  func schedulerResetInRecovery() async throws {
    let fixture = try await TunedFixture()
    _ = try await fixture.set(TimeoutSettings([:], scheduler: IOScheduler.none))
    try fixture.setScheduler(to: "[none] mq-deadline")
    await fixture.lose()
    let reset = TimeoutSettings([:], resetsScheduler: true)
    let expected = ["io-scheduler none mq-deadline atNextLogin whenBack"]
    #expect(TunedFixture.words(try await fixture.set(reset, isTrial: true)) == expected)
    #expect(fixture.due == TimeoutSettings())
    #expect(TunedFixture.words(try await fixture.set(reset)) == expected)
    #expect(fixture.due == reset)
    let wanted = TimeoutSettings([:], scheduler: IOScheduler.none)
    _ = try await fixture.set(wanted)
    #expect(fixture.due == wanted)
    _ = try await fixture.set(reset)
    #expect(fixture.base.supervision(fixture.session).map { InitiatorTypes.Recovery($0, owner: nil).due } == reset)
    #expect(try fixture.contents("block/sda/queue/scheduler") == "[none] mq-deadline")
    try fixture.setScheduler(to: "[none]     ")
    await fixture.comeBack()
    #expect(await eventually { fixture.due == TimeoutSettings() })
    #expect(await eventually { (try? fixture.contents("block/sda/queue/scheduler"))?.hasPrefix("mq-deadline") == true })
  }

  @Test("A reset that a disk does not take stays due, is tried at the next return, and can be asked for again")
  func schedulerResetRefused() async throws {
    let fixture = try await TunedFixture()
    _ = try await fixture.set(TimeoutSettings([:], scheduler: IOScheduler.none))
    let attribute = "block/sda/queue/scheduler"
    // A directory in its place takes nothing.
    let file = fixture.tree.appending(fixture.path(of: attribute, lun: 1)).string
    _ = try TestProcess.run(["rm", file])
    _ = try TestProcess.run(["mkdir", file])
    let reset = TimeoutSettings([:], resetsScheduler: true)
    #expect(try await fixture.set(reset).map(\.result) == [.failed])
    #expect(fixture.due == reset)
    #expect(try await fixture.set(reset).map(\.result) == [.failed], "it is not tried again")
    _ = try TestProcess.run(["rmdir", file])
    try fixture.set(attribute, of: 1, to: "[none]     ")
    #expect(TunedFixture.words(try await fixture.set(reset)) == ["io-scheduler none mq-deadline changed -"])
    #expect(fixture.due == TimeoutSettings())
  }

  @Test("A scheduler that is wanted while a reset is due takes its place, for a later daemon too")
  func schedulerAfterReset() async throws {
    let fixture = try await TunedFixture()
    _ = try await fixture.set(TimeoutSettings([:], scheduler: IOScheduler.none))
    await fixture.lose()
    _ = try await fixture.set(TimeoutSettings([:], resetsScheduler: true))
    _ = try await fixture.set(TimeoutSettings([:], scheduler: IOScheduler.none))
    let record = try #require(fixture.base.base.registry.read(fixture.session))
    #expect(!record.due.resetsScheduler && record.request.options.devices.scheduler == IOScheduler.none)
    await fixture.comeBack()
    #expect(await eventually { (try? fixture.contents("block/sda/queue/scheduler"))?.hasPrefix("none") == true })
  }

  @Test("During a recovery a timeout that somebody has written by hand waits until the file can be written again")
  func handWrittenInRecovery() async throws {
    let fixture = try await TunedFixture(ignoring: [19])
    try fixture.base.base.tree.set("recovery_tmo", of: fixture.session, to: .text("77"))
    await fixture.lose()
    let outcomes = try await fixture.set(TimeoutSettings([.replacement: 55]))
    #expect(TunedFixture.words(outcomes) == ["replacement-timeout 77 55 atNextLogin whenBack"])
    await fixture.comeBack()
    #expect(await eventually { (try? fixture.recoveryTimeout) == "55" && fixture.due == TimeoutSettings() })
  }

  @Test("What the kernel does not have when the session is back is told")
  func ignoredInRecovery() async throws {
    let fixture = try await TunedFixture(ignoring: [27])
    await fixture.lose()
    #expect(try await fixture.set(TimeoutSettings([.abort: 7])).map(\.result) == [.atNextLogin])
    await fixture.comeBack()
    #expect(await fixture.base.happened(.settingFailed))
    let event = try #require(fixture.base.events.first { $0.kind == .settingFailed })
    #expect(event.message.contains("abort-timeout=7") && event.message.contains("still has 15"))
  }

  @Test("A change that meets a loss nobody has heard of yet is kept as well")
  func unheardLoss() async throws {
    let fixture = try await TunedFixture()
    fixture.base.kernel.stopConnection(of: fixture.session)
    try fixture.base.show(fixture.session)
    let outcomes = try await fixture.set(TimeoutSettings([.abort: 7]))
    #expect(TunedFixture.words(outcomes) == ["abort-timeout 15 7 atNextLogin whenBack"])
    fixture.base.kernel.failConnection(of: fixture.session)
    #expect(await fixture.base.recoveries(fixture.session))
    #expect(fixture.base.kernel.sessions[fixture.session]?.parameters[27] == "7")
  }

  @Test("What is set while something older is due takes its place, and the rest is still set")
  func older() async throws {
    let fixture = try await TunedFixture()
    let driver = try #require(fixture.base.manager.directory.withLock { $0[fixture.session]?.driver })
    await driver.owe(TimeoutSettings([.abort: 7, .targetReset: 4]))
    _ = try await fixture.set(TimeoutSettings([.targetReset: 9]))
    #expect(fixture.due == TimeoutSettings([.abort: 7]))
    await driver.applySettings()
    #expect(fixture.due == TimeoutSettings())
    let wanted = TimeoutSettings([.abort: 7, .targetReset: 9])
    #expect(try await fixture.set(wanted).allSatisfy { $0.result == .unchanged })
  }

  @Test("A session that is not there takes nothing")
  func gone() async throws {
    let fixture = try await SupervisedFixture()
    let settings = TimeoutSettings([.replacement: 3])
    let other = SessionID(rawValue: 77)
    let none = await #expect(throws: OperationError.self) { try await fixture.manager.set(settings, of: other) }
    #expect(none?.cause == .noSession && none?.exitStatus == .sessionNotFound)
  }
}

extension SessionDriver {
  fileprivate func owe(_ settings: TimeoutSettings) { due = settings }
}
