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

    /// The machine that we run on.
    public init() {}
  }

  /// Opens the link to the kernel, for which it loads `iscsi_tcp` if need be.
  ///
  /// - Parameter machine: What it works on.
  /// - Throws: `KernelError`: why the kernel's initiator cannot be used.
  public convenience init(_ machine: Machine = Machine()) async throws(KernelError) {
    await self.init(machine, link: try await KernelLink.open(sysfs: machine.sysfs.root))
  }

  /// The same over another link, such as one to a scripted kernel.
  init(_ machine: Machine, link: KernelLink) async {
    self.link = link
    // A daemon that runs keeps its own records, and takes the sessions up by what the kernel tells.
    let daemon = Initiator(socket: machine.runtimeDirectory.appending("control.sock"), patience: .seconds(1))
    let hasDaemon = (try? await daemon.ping()) != nil
    let registry =
      hasDaemon ? nil : SessionRegistry(directory: machine.runtimeDirectory.appending("sessions"))
    manager = SessionManager(link: link, sysfs: machine.sysfs, registry: registry)
  }

  deinit { link.close() }

  /// Logs in to all at the same time, each for as long as its options say, so that a path that is dead holds up no other.
  ///
  /// - Parameters:
  ///   - requests: Who logs in to what.
  ///   - report: Is told what happens, such as an attempt that failed and is made again.
  ///   - finished: Is told how each ended, in the order of the requests, as soon as those before it are over.
  public func logIn(
    _ requests: [LoginRequest], report: @escaping @Sendable (SessionEvent) -> Void,
    finished: (Int, Result<LoginReport, OperationError>) -> Void
  ) async {
    let owner = SessionOwner(userID: getuid(), processID: getpid(), label: Self.ownerLabel, time: WallClock.now)
    let events = manager.events
    let manager = manager
    let reporting = Task { for await event in events.events(after: 0) { report(event) } }
    let logins = requests.map { request in
      var request = request
      request.options.leavesSecrets = true
      let login = request
      return Task { await manager.login([login], owner: owner).first ?? .failure(Self.nothing(login)) }
    }
    await withTaskCancellationHandler {
      for (index, login) in logins.enumerated() { finished(index, await login.value) }
    } onCancel: {
      for login in logins { login.cancel() }
    }
    reporting.cancel()
    await reporting.value
  }

  private static func nothing(_ request: LoginRequest) -> OperationError {
    OperationError(.login(request.target, request.portal), .cancelled)
  }
}
