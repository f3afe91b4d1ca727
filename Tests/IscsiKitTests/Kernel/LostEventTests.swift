// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

private var soon: ContinuousClock.Instant { .now + .seconds(20) }
private var atOnce: ContinuousClock.Instant { .now + .milliseconds(150) }

/// What a session does when the kernel's word is lost in a full buffer: it looks at sysfs until the deadline.
@Suite("Lost events of a session", .timeLimit(.minutes(1)))
struct LostEventTests {
  private let id = SessionID(rawValue: 1)

  /// A link to a kernel with session 1, which `tree` shows.
  private func core(_ kernel: ScriptedKernel, _ tree: borrowing SysfsTree) async throws -> SessionCore {
    kernel.addSession(connection: .up)
    let link = try await KernelLink.open(channel: kernel, handle: kernel.handle, sysfs: tree.root)
    return try SessionCore(link: link, id: id, host: HostNumber(rawValue: 2))
  }

  /// A sysfs in which session 1 has a disk.
  private func treeWithDisk() throws -> SysfsTree {
    let tree = try SysfsTree()
    var session = SessionSnapshot(id: id)
    session.targetNumber = 0
    session.targetState = .scanned
    session.devices = [DeviceSnapshot(host: HostNumber(rawValue: 1), channel: 0, target: 0, lun: 0)]
    try tree.add(session)
    return tree
  }

  @Test("Devices are removed when sysfs has neither the target's number nor a device left")
  func devices() async throws {
    let tree = try treeWithDisk()
    let kernel = ScriptedKernel()
    let core = try await core(kernel, tree)
    func remove(until deadline: ContinuousClock.Instant) async throws {
      kernel.inject(.overrun, into: .unbindSession)
      try await core.removeDevices(Patience(until: deadline))
    }
    await #expect(throws: KernelError.timedOut(.unbindSession)) { try await remove(until: atOnce) }
    // The cache is flushed after the number has gone.
    try tree.set("target_id", of: id, to: .text("-1"))
    try tree.set("target_state", of: id, to: .text("UNBINDING"))
    await #expect(throws: KernelError.timedOut(.unbindSession)) { try await remove(until: atOnce) }
    tree.remove("class/iscsi_session/session1/device/target1:0:0/1:0:0:0")
    try await remove(until: soon)
  }

  @Test("What could not be sent because another request held the kernel is asked for again")
  func notSent() async throws {
    let kernel = ScriptedKernel()
    let core = try await core(kernel, try treeWithDisk())
    let link = core.link
    kernel.inject(.stuck, into: .setParameter)
    let parameter = KernelRequest.setParameter(id, .leading, .fastAbort(true))
    await #expect(throws: KernelError.timedOut(.setParameter)) { try await link.perform(parameter, until: atOnce) }
    let removal = Task { try await core.removeDevices(Patience(until: soon), turn: .milliseconds(20)) }
    // Longer than several turns of it.
    await #expect(throws: KernelError.notSent(.setParameter)) { try await link.perform(parameter, until: atOnce) }
    kernel.releaseSends()
    try await removal.value
    #expect(kernel.requests.filter { $0.type == .unbindSession }.count == 1)
  }

  @Test("An event that is lost during the wait is found in sysfs")
  func duringTheWait() async throws {
    let tree = try treeWithDisk()
    let kernel = ScriptedKernel()
    let core = try await core(kernel, tree)
    kernel.inject(.withoutEvent, into: .unbindSession)
    let overflow = Task {
      while kernel.requests.last?.type != .unbindSession { await Task.yield() }
      kernel.overflow()
    }
    try tree.set("target_state", of: id, to: .text("UNBOUND"))
    tree.remove("class/iscsi_session/session1/device/target1:0:0")
    try await core.removeDevices(Patience(until: soon))
    await overflow.value
  }

  @Test("A session is gone when sysfs has it no more, and not before")
  func destruction() async throws {
    let tree = try treeWithDisk()
    let kernel = ScriptedKernel()
    let core = try await core(kernel, tree)
    kernel.inject(.overrun, into: .destroySessionAsync)
    let marker = KernelMessageType.unbindSession
    let work = Task {
      try await core.destroy(until: soon)
      return kernel.requests.contains { $0.type == marker }
    }
    while kernel.requests.last?.type != .destroySessionAsync { await Task.yield() }
    // Its answer comes after the loss was told.
    _ = try? await core.perform(.unbindSession(id), until: soon)
    tree.remove("class/iscsi_session/session1")
    #expect(try await work.value)
  }
}
