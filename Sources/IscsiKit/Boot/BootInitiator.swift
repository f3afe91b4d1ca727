// SPDX-License-Identifier: Apache-2.0
internal import Glibc
public import SystemPackage

/// Logs in where there is no daemon, and nothing can be written: in an initramfs.
///
/// Sessions stay in the kernel when the process ends, for a daemon that comes later. What it needs to know of them is
/// left where it looks, if that can be written. The secrets are left in the kernel too, as open-iscsi does: what is written in
/// an initramfs may be gone with it, and a disk must not be lost for that.
public final class BootInitiator: Sendable {
  /// How a session's owner is called that was made here.
  public static let ownerLabel = "boot"

  private let link: KernelLink
  private let manager: SessionManager

  /// What it works on.
  public struct Machine: Sendable {
    /// Where sysfs is; another one is for tests.
    public var sysfs = Sysfs()
    /// Where a daemon has its socket and its records.
    public var runtimeDirectory: FilePath = "/run/iscsi-admin"
    /// What targets' administrators are shown beside our name; nil is what the file of the name says.
    var alias: String?

    /// The machine that we run on.
    public init() {}
  }

  /// Opens the link to the kernel, for which it loads `iscsi_tcp` if need be, and `sd_mod` for disks.
  ///
  /// - Parameter machine: What it works on.
  /// - Throws: `KernelError`: why the kernel's initiator cannot be used.
  public convenience init(_ machine: Machine = Machine()) async throws(KernelError) {
    let link = try await KernelLink.open(sysfs: machine.sysfs.root)
    // A system's udev does that when it sees a unit; in an image there may be nobody, and units without it are no disks.
    let driver = machine.sysfs.root.appending("bus/scsi/drivers/sd")
    var machine = machine
    machine.alias = try? await DedicatedThread.run { () throws(KernelError) in
      _ = try? TransportModule.load("sd_mod", making: driver, until: .now + .seconds(10))
      return BootSources().nameFile.contents().alias
    }
    await self.init(machine, link: link)
  }

  /// The same over another link, such as one to a scripted kernel.
  init(_ machine: Machine, link: KernelLink) async {
    self.link = link
    // A daemon that runs keeps its own records, and takes the sessions up by what the kernel tells.
    let daemon = Initiator(socket: machine.runtimeDirectory.appending("control.sock"), patience: .seconds(1))
    let hasDaemon = (try? await daemon.ping()) != nil
    let registry =
      hasDaemon ? nil : SessionRegistry(directory: machine.runtimeDirectory.appending("sessions"))
    manager = SessionManager(
      link: link, sysfs: machine.sysfs, registry: registry, alias: { [alias = machine.alias] in alias })
  }

  deinit { link.close() }

  /// Logs in to all at the same time, each for as long as its options say, so that a path that is dead holds up no other.
  ///
  /// - Parameters:
  ///   - requests: Who logs in to what.
  ///   - report: Is told what happens, such as an attempt that failed and is made again.
  ///   - ended: Is told how each ended, as soon as it has; what it returns is when those that still run are given up.
  public func logIn(
    _ requests: [LoginRequest], report: @escaping @Sendable (SessionEvent) -> Void,
    ended: (Int, Result<LoginReport, OperationError>) -> ContinuousClock.Instant?
  ) async {
    let owner = SessionOwner(userID: getuid(), processID: getpid(), label: Self.ownerLabel, time: WallClock.now)
    let events = manager.events
    let manager = manager
    let reporting = Task { for await event in events.events(after: 0) { report(event) } }
    await withTaskGroup(of: Step.self) { group in
      for (index, request) in requests.enumerated() {
        group.addTask {
          .ended(index, await manager.login([request], owner: owner).first ?? .failure(Self.nothing(request)))
        }
      }
      var running = requests.count
      while running > 0, let step = await group.next() {
        switch step {
        case .timeUp: group.cancelAll()
        case .ended(let index, let result):
          running -= 1
          guard let deadline = ended(index, result) else { continue }
          group.addTask {
            try? await Reactor.shared.sleep(until: deadline)
            return .timeUp
          }
        }
      }
      group.cancelAll()
    }
    reporting.cancel()
    await reporting.value
  }

  /// The same without an end before the last has ended.
  ///
  /// - Parameters:
  ///   - requests: Who logs in to what.
  ///   - report: Is told what happens.
  ///   - finished: Is told how each ended, in the order of the requests, as soon as those before it are over.
  public func logIn(
    _ requests: [LoginRequest], report: @escaping @Sendable (SessionEvent) -> Void,
    finished: (Int, Result<LoginReport, OperationError>) -> Void
  ) async {
    var results: [Int: Result<LoginReport, OperationError>] = [:]
    var next = 0
    await logIn(requests, report: report) { index, result -> ContinuousClock.Instant? in
      results[index] = result
      while let result = results[next] {
        finished(next, result)
        next += 1
      }
      return nil
    }
  }

  /// What has happened to the logins.
  private enum Step: Sendable {
    /// One of them has ended.
    case ended(Int, Result<LoginReport, OperationError>)
    /// The others are given up.
    case timeUp
  }

  private static func nothing(_ request: LoginRequest) -> OperationError {
    OperationError(.login(request.target, request.portal), .cancelled)
  }
}
