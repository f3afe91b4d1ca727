// SPDX-License-Identifier: Apache-2.0
public import Logging
internal import Synchronization
public import SystemPackage

/// Why the daemon did not start, or ended by itself.
public enum DaemonError: DiagnosableError, Hashable {
  /// Another daemon drives the sessions of this machine.
  case otherDaemon(LegacyDaemonNameError)
  /// The kernel's initiator cannot be reached (any more).
  case kernel(KernelError)
  /// The sessions cannot be listed.
  case sysfs(SysfsError)
  /// The control socket cannot be made.
  case socket(FilePath, Errno)
  /// The description of the interface is wrong.
  case interface(VarlinkInterfaceError)

  private var underlying: (any DiagnosableError)? {
    switch self {
    case .otherDaemon(let error): error
    case .kernel(let error): error
    case .sysfs(let error): error
    case .socket, .interface: nil
    }
  }

  /// The code of the reason.
  public var exitStatus: ExitStatus { underlying?.exitStatus ?? .internal }
  /// The reason in words.
  public var description: String {
    switch self {
    case .socket(let path, let errno): "the socket \(path) cannot be made: \(errno)"
    case .interface(let error): "the interface is malformed: \(error)"
    default: underlying?.description ?? ""
    }
  }
  /// What to do about it.
  public var advice: String? { underlying?.advice }
}

/// The daemon: owns the sessions of this machine, and serves clients.
///
/// At its start it takes up the sessions of the kernel, healthy ones untouched; at its end all of them stay in the
/// kernel. One daemon at a time runs in a network namespace, and none beside open-iscsi's.
public struct Daemon: Sendable {
  /// What a daemon is made of.
  public struct Configuration: Sendable {
    /// Where socket and session records are.
    public var runtimeDirectory: FilePath = "/run/iscsi-admin"
    /// A socket that listens already, from a service manager; nil makes one in the runtime directory.
    public var listener: FileDescriptor?
    /// Our name for logins that name none; nil reads the machine's file with each of them.
    public var initiatorName: InitiatorName?
    /// The machine's file.
    public var initiatorNameFile = InitiatorNameFile()
    /// The name by which daemons exclude each other; another one is for tests.
    public var exclusiveName = LegacyDaemonName.standard
    /// The lock by which daemons of this program exclude each other, whatever their runtime directories; another one is
    /// for tests.
    public var exclusiveLock: FilePath = "/run/iscsi-admin/daemon.lock"
    /// The users whose processes may be daemons.
    var daemonUsers = LegacyDaemonName.daemonUsers
    /// A socket that listens by this name already, from a service manager; nil takes the name.
    public var exclusiveListener: FileDescriptor?
    /// Where sysfs is; another one is for tests.
    public var sysfs = Sysfs()
    /// What its process lacks of the protection that it should have; told when the kernel has let it in.
    public var protectionWarnings: [ProcessProtection.Warning] = []
    /// The version of the program.
    public var version: String
    /// Who is told how the daemon gets on.
    public var serviceManager: ServiceManager?
    /// Where the records are: of the discoveries that the daemon is to repeat, and of the nodes to which others have logged
    /// in; nil repeats none, and takes sessions up without.
    public var records: RecordSource?
    /// Is called when the daemon takes calls, and has taken up the sessions that it found.
    public var whenReady: @Sendable () -> Void = {}

    /// The standard daemon of a program of this version.
    public init(version: String) { self.version = version }
  }

  private let configuration: Configuration
  private let machineName: MachineName
  private let log: Logger
  /// How often sessions are looked for that nobody supervises yet.
  private static let adoptionInterval = Duration.seconds(60)

  /// A daemon that is ready to run.
  public init(_ configuration: Configuration, log: Logger) {
    self.configuration = configuration
    machineName = MachineName(configuration.initiatorName, file: configuration.initiatorNameFile)
    self.log = log
  }

  /// Runs until the task is cancelled or a client asks for the end. All sessions stay in the kernel.
  public func run() async throws(DaemonError) {
    try await run { () async throws(KernelError) in try await KernelLink.open(sysfs: configuration.sysfs.root) }
  }

  /// Runs over another link to the kernel, such as one to a scripted kernel.
  func run(link openLink: () async throws(KernelError) -> KernelLink) async throws(DaemonError) {
    // Before the kernel is touched: two daemons that drive one session make it hang.
    let exclusion = try await DaemonExclusion(configuration, log: log)
    defer { withExtendedLifetime(exclusion) {} }
    let link: KernelLink
    do throws(KernelError) { link = try await openLink() } catch { throw .kernel(error) }
    defer { link.close() }
    for warning in configuration.protectionWarnings { log.warning("\(warning)") }
    if link.hasLoadedModule { log.info("loaded the kernel module iscsi_tcp") }
    let registry = SessionRegistry(directory: configuration.runtimeDirectory.appending("sessions")) {
      log.warning("a session's record cannot be kept: \($0)")
    }
    let manager = SessionManager(
      link: link, sysfs: configuration.sysfs, registry: registry, findNodes: findNodes,
      alias: { [machineName] in machineName.alias })
    let end = OneShot<DaemonError?>()
    let socket = try listen()
    let server = try makeServer(socket.listener, manager) { end.resolve(nil) }
    // Nobody waits for this one: the kernel may hold the link's thread for long.
    Task { end.resolve(.kernel(await link.end)) }
    let result = await withTaskGroup(of: Void.self) { group in
      group.addTask { await log(manager.events) }
      group.addTask { await answerOldClients(exclusion, end) }
      let skipped: [SessionID: OperationError.Cause]
      do throws(SysfsError) {
        skipped = try await adopt(manager, known: [:])
      } catch {
        skipped = [:]
        end.resolve(.sysfs(error))
      }
      group.addTask {
        // So that it is known when it is needed.
        _ = try? await machineName.read()
        await adoptLater(manager, skipped)
      }
      group.addTask { await watchNetwork(manager) }
      group.addTask { await manager.watchSilence() }
      group.addTask { await manager.watchForLosses() }
      group.addTask { await keepProgram() }
      group.addTask { await repeatDiscoveries(manager) }
      group.addTask { await watch(link, end) }
      group.addTask { await server.run() }
      let keeping = Task { await socket.keep { server.move(to: $0) } }
      // Its own task: a manager that is busy just now is told again, and nobody waits for that.
      group.addTask { await configuration.serviceManager?.tell(.ready, .status("ready")) }
      configuration.whenReady()
      log.info("ready; sessions: \(manager.supervisions().count)")
      let failure = await withTaskCancellationHandler {
        await end.value
      } onCancel: {
        end.resolve(nil)
      }
      configuration.serviceManager?.notify(.stopping)
      log.info("ending; all sessions stay in the kernel")
      // First: that the server's file goes now is as it should be.
      keeping.cancel()
      await keeping.value
      server.close()
      link.close()
      group.cancelAll()
      return failure
    }
    if let result { throw result }
  }

  /// How long the records of nodes may take to be read: sessions that are lost wait for it.
  private static let recordTimeout = Duration.seconds(3)
  /// The disk that they are on may be one of those that are lost. What hangs holds up nothing but its like.
  private static let recordLooks = BlockingWork(limit: 1, sharesFiles: false)

  private var findNodes: SessionManager.NodeLookup? {
    guard let records = configuration.records else { return nil }
    return { sessions in
      (try? await Self.recordLooks.run(until: .now + Self.recordTimeout) { records.nodes(of: sessions) }) ?? [:]
    }
  }

  private func listen() throws(DaemonError) -> ControlSocket {
    let path = configuration.runtimeDirectory.appending("control.sock")
    do throws(Errno) {
      return try ControlSocket(at: path, adopting: configuration.listener, log: log)
    } catch {
      throw .socket(path, error)
    }
  }

  private func makeServer(
    _ listener: UnixListener, _ manager: SessionManager, shutDown: @escaping @Sendable () -> Void
  ) throws(DaemonError) -> VarlinkServer {
    var generator = SystemRandomNumberGenerator()
    let instance = String(generator.next(), radix: 36)
    let service = InitiatorService(
      manager: manager, sysfs: configuration.sysfs, instance: instance, version: configuration.version,
      machineName: machineName, shutDown: shutDown)
    let identity = VarlinkIdentity(
      vendor: "iscsi-admin", product: "iscsi-admin", version: configuration.version,
      url: "https://varlink.org/\(InitiatorInterface.name)")
    do throws(VarlinkInterfaceError) {
      return try VarlinkServer(listener: listener, identity: identity, services: [service])
    } catch {
      throw .interface(error)
    }
  }

  // MARK: - What goes on beside

  /// Tells an iscsiadm of open-iscsi, such as one in a container image, at once that this is no daemon of its own.
  private func answerOldClients(_ exclusion: DaemonExclusion, _ end: OneShot<DaemonError?>) async {
    let name: LegacyDaemonName
    if let had = exclusion.name {
      name = had
    } else {
      do throws(LegacyDaemonNameError) {
        guard let taken = try await exclusion.acquireLater() else { return }
        name = taken
      } catch {
        // A daemon of open-iscsi's was faster, and takes all sessions up that it finds.
        return end.resolve(.otherDaemon(error))
      }
      log.notice("the socket name of an iSCSI daemon is free again, and had")
    }
    // Everybody may connect, so that not each is worth an entry.
    let bucket = Mutex(TokenBucket(burst: 5, perSecond: 1, at: .now))
    await name.answer { request in
      guard request != LegacyDaemonName.wakeRequest else { return }
      guard bucket.withLock({ $0.take(at: .now) }) == nil else { return }
      log.notice("an iscsiadm of open-iscsi was refused: it needs open-iscsi's own daemon")
    }
  }

  /// Takes up what is in the kernel and not supervised; returns what is left alone, of which only the new is told.
  private func adopt(
    _ manager: SessionManager, known: [SessionID: OperationError.Cause]
  ) async throws(SysfsError) -> [SessionID: OperationError.Cause] {
    let adoption = try await manager.adoptSessions { try? await machineName.read() }
    let healthy = adoption.healthy.count
    if healthy > 0 { log.info("\(healthy) healthy session\(healthy == 1 ? "" : "s") taken up as they are") }
    for (session, cause) in adoption.skipped where known[session] != cause {
      log.warning("session \(session) is left alone: \(cause)")
    }
    return adoption.skipped
  }

  /// Takes up sessions of other programs that come while the daemon runs, or whose login was not over when it started.
  private func adoptLater(_ manager: SessionManager, _ skipped: [SessionID: OperationError.Cause]) async {
    var skipped = skipped
    while (try? await Reactor.shared.sleep(until: .now + Self.adoptionInterval)) != nil {
      if let now = try? await adopt(manager, known: skipped) { skipped = now }
    }
  }

  private func repeatDiscoveries(_ manager: SessionManager) async {
    guard let records = configuration.records else { return }
    await BackgroundDiscovery(
      manager: manager, machineName: machineName, records: records, sysfs: configuration.sysfs, log: log
    ).run()
  }

  /// Where the system stands on an iSCSI disk, keeps the program in memory: in a folder of its own, so that a file system can
  /// be mounted there that lets programs run where `/run` does not.
  private func keepProgram() async {
    let folder = configuration.runtimeDirectory.appending("program")
    let copy = ProgramCopy(path: folder.appending("iscsi-admin"))
    let sysfs = configuration.sysfs
    // The disk may be away just now, and the program on it cannot be read until it is back. A thread that hangs there outlives the
    // daemon, and must not keep what the next one needs.
    let outcome = try? await BlockingWork(limit: 1, sharesFiles: false).run(until: nil) { copy.refresh(sysfs: sysfs) }
    switch outcome {
    case .kept: log.info("the system stands on an iSCSI disk; without it this program is at \(copy.path)")
    case .keptWithoutExecution:
      log.warning(
        "the copy for when the disk is away cannot be run: the file system of \(copy.path) is mounted noexec; mount -t tmpfs tmpfs \(folder)"
      )
    case .failed(let errno): log.warning("\(copy.path) cannot be made, for when the disk is away: \(errno.label)")
    case .notNeeded, nil: break
    }
  }

  private func watchNetwork(_ manager: SessionManager) async {
    var known: Errno?
    while true {
      let began = ContinuousClock.now
      guard let failure = await manager.watchNetwork() else { return }
      // One that has worked for a while fails anew.
      if failure != known || .now - began > .seconds(60) {
        log.warning("the network cannot be watched now; recoveries go by their timers alone: \(failure)")
      }
      known = failure
      guard (try? await Reactor.shared.sleep(until: .now + .seconds(10))) != nil else { return }
    }
  }

  /// Tells the service manager's watchdog, and sees to it that the kernel takes requests. A kernel that does not know the
  /// transport's handle any more, as when the module was loaded anew, ends the daemon: the next one takes the sessions
  /// up. One that does not answer would not answer the next daemon either, and what else is wrong may pass.
  private func watch(_ link: KernelLink, _ end: OneShot<DaemonError?>) async {
    let interval = (configuration.serviceManager?.watchdogInterval).map { $0 / 3 } ?? .seconds(30)
    while !Task.isCancelled {
      let next = ContinuousClock.now + interval
      configuration.serviceManager?.notify(.watchdog)
      do throws(KernelError) {
        try await link.probe(until: next)
      } catch .closed {
        return
      } catch .rejected(let type, .invalidArgument, by: .interface) {
        return end.resolve(.kernel(.rejected(type, .invalidArgument, by: .interface)))
      } catch {
        log.warning("the kernel does not answer as it should: \(error)")
      }
      guard (try? await Reactor.shared.sleep(until: next)) != nil else { return }
    }
  }

  /// Writes what happens to the log. A target that is away for long is told of less and less often.
  private func log(_ events: EventLog) async {
    let reading = events.read(after: 0)
    var last = reading.start
    for await event in reading.events {
      if event.sequence > last + 1 {
        log.warning("\(event.sequence - last - 1) events are not logged: there were more than could be written")
      }
      last = event.sequence
      if event.kind == .attemptFailed || event.kind == .loginDelayed, let attempt = event.attempt,
        attempt & (attempt - 1) != 0
      {
        continue
      }
      var metadata: Logger.Metadata = ["target": "\(event.target)", "portal": "\(event.portal.address)"]
      if let session = event.session { metadata["session"] = "\(session)" }
      if let error = event.kernelError { metadata["kernel_error"] = "\(error.rawValue)" }
      log.log(level: event.kind.level, "\(event.subject): \(event.message)", metadata: metadata)
    }
  }
}

extension SessionEvent {
  /// What the event is about, in words. A session that was left half made has no target.
  fileprivate var subject: String {
    guard !target.isEmpty else { return session.map { "session \($0)" } ?? "a session" }
    return (session.map { "session \($0) with " } ?? "") + "\(target) at \(portal.address)"
  }
}

extension SessionEvent.Kind {
  fileprivate var level: Logger.Level {
    switch self {
    case .lost, .diagnosed, .attemptFailed, .loginDelayed, .vanished, .removalDelayed, .removalFailed, .scanFailed,
      .settingFailed, .silent:
      .warning
    case .loginFailed, .gaveUp: .error
    case .loggedIn, .adopted, .answered, .networkWell, .recovered, .redirected, .moved, .messageReceived, .leaving,
      .loggedOut:
      .info
    }
  }
}
