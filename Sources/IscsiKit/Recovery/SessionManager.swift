// SPDX-License-Identifier: Apache-2.0
internal import Synchronization
internal import SystemPackage

/// Owns sessions of the kernel's initiator: logs in and out, and logs in again what has lost its connection.
///
/// One manager of one process at a time drives the sessions of a machine: the daemon, or a program without one. Sessions
/// stay in the kernel when it ends.
public final class SessionManager: Sendable {
  /// How many recoveries at one portal run at a time, and how many first logins beside them.
  static let recoveriesPerPortal = 16

  /// What happens to the sessions.
  public let events = EventLog()
  let environment: SessionDriver.Environment
  let registry: SessionRegistry?
  /// Finds the records of nodes by which sessions of others are taken up; nil takes them up without.
  let findNodes: NodeLookup?
  let directory = Mutex(SessionDirectory<SessionDriver>())
  /// Which network devices are being looked at.
  let linkLooks = Mutex(LinkLooks())
  /// The ways of which sessions are being found out.
  let wayLooks = Mutex(WayLooks<SessionDirectory<SessionDriver>.Ticket>())
  let network: any NetworkSight
  private let tickets = Mutex<[ObjectIdentifier: SessionDirectory<SessionDriver>.Ticket]>([:])

  /// A manager without sessions; `adoptSessions` takes up those of the kernel.
  ///
  /// - Parameters:
  ///   - link: The link to the kernel.
  ///   - sysfs: Another sysfs than the kernel's is for tests.
  ///   - registry: Where to keep what a later manager needs to take the sessions over; nil keeps nothing.
  ///   - findNodes: Finds the records of nodes by which sessions of others are taken up; nil takes them up without.
  ///   - alias: Gives what targets' administrators are shown beside our name (InitiatorAlias) before each login; nil is nothing.
  public convenience init(
    link: KernelLink, sysfs: Sysfs = Sysfs(), registry: SessionRegistry? = nil, findNodes: NodeLookup? = nil,
    alias: @escaping @Sendable () -> String? = { nil }
  ) {
    self.init(
      link: link, sysfs: sysfs, registry: registry, findNodes: findNodes, alias: alias, patience: RemovalPatience())
  }

  /// A manager with other limits for the removal of devices and for scans, or with another `/proc` or network.
  init(
    link: KernelLink, sysfs: Sysfs, registry: SessionRegistry? = nil, findNodes: NodeLookup? = nil,
    alias: @escaping @Sendable () -> String? = { nil }, patience: RemovalPatience, scanTimeout: Duration = .seconds(60),
    proc: FilePath = "/proc",
    network: (any NetworkSight)? = nil
  ) {
    self.network = network ?? NetworkDevices(sysfs: sysfs.root)
    environment = SessionDriver.Environment(
      link: link, sysfs: sysfs, alias: alias, proc: proc, gate: RecoveryGate(limit: Self.recoveriesPerPortal),
      loginGate: RecoveryGate(limit: Self.recoveriesPerPortal), patience: patience, scanTimeout: scanTimeout)
    self.registry = registry
    self.findNodes = findNodes
  }

  // MARK: - Drivers

  /// Makes the driver of what is claimed, while the directory is locked: whoever finds the entry finds the driver.
  func enter(
    _ request: LoginRequest, _ ticket: SessionDirectory<SessionDriver>.Ticket,
    in directory: inout SessionDirectory<SessionDriver>
  ) {
    let driver = SessionDriver(SessionDriver.Identity(request), in: environment, owner: self)
    tickets.withLock { $0[ObjectIdentifier(driver)] = ticket }
    directory.set(driver, for: ticket)
  }

  /// Notes the driver of a session that was found, in one step: whoever finds the entry finds the driver. False if the
  /// session has an entry already.
  func enter(_ driver: SessionDriver, of session: SessionSnapshot, owner: SessionOwner?) -> Bool {
    directory.withLock { directory in
      let alias = SessionKey.byAddress(session)
      guard let ticket = directory.adopt(session.id, SessionKey(session), alias: alias, owner: owner) else {
        return false
      }
      directory.set(driver, for: ticket)
      tickets.withLock { $0[ObjectIdentifier(driver)] = ticket }
      return true
    }
  }

  // MARK: - Logouts

  /// Which sessions a logout leaves alone.
  public enum Sparing: Hashable, Sendable {
    /// None.
    case none
    /// Those whose disks are mounted, swap space or part of a device that is, as far as that can be told: as open-iscsi does.
    case used
    /// Those whose disks anybody has, whether it shows that they are used or not: also those of which multipath or LVM has made
    /// a device that nobody has mounted.
    case claimed
  }

  /// Logs out of many sessions at a time. The results stand in the order of the sessions.
  ///
  /// A logout that has begun goes to its end even if the task is cancelled, which ends the wait for it alone. One of a
  /// session whose logout is under way joins it, and ends as that does.
  ///
  /// - Parameters:
  ///   - sessions: The kernel's numbers.
  ///   - timeout: How long a target may take to answer.
  ///   - sparing: Which of the sessions stay.
  /// - Returns: A failure only if the session is still there, with `noSession` if it was gone before, or with `cancelled`.
  public func logOut(
    _ sessions: [SessionID], timeout: Duration = .seconds(15), sparing: Sparing = .none
  ) async -> [Result<LogoutReport, OperationError>] {
    let users = sparing == .none ? nil : RecentDeviceUsers(proc: environment.proc, sysfs: environment.sysfs.root)
    // All at once: one whose target has gigabytes to take may last an hour, and is to hold up no other. Each costs a task of
    // a few kilobytes; what the kernel is asked goes through the one thread of the link.
    return await inParallel(sessions, limit: sessions.count) { [self] _, session in
      let driver: SessionDriver
      do throws(OperationError.Cause) {
        guard !Task.isCancelled else { throw .cancelled }
        if let leaving = driverLoggingOut(of: session) { return await leaving.logOut(timeout: timeout) }
        if let users { try spare(session, users, evenClaimed: sparing == .claimed) }
        driver = try await self.driver(of: session, toRemove: true)
      } catch {
        return .failure(OperationError(.logout(session, target: nil), error))
      }
      return await driver.logOut(timeout: timeout)
    }
  }

  /// The driver of a session whose logout is under way: its disks are on their way out whoever uses them, and sysfs may
  /// not show the session any more.
  private func driverLoggingOut(of session: SessionID) -> SessionDriver? {
    directory.withLock { directory in
      let entry = directory[session]
      return entry?.supervision?.phase == .loggingOut ? entry?.driver : nil
    }
  }

  /// Refuses a session whose disks are in use, or only claimed.
  private func spare(
    _ session: SessionID, _ users: RecentDeviceUsers, evenClaimed: Bool
  ) throws(OperationError.Cause) {
    let uses: [String]
    let claims: [String]
    do throws(SysfsError) {
      guard let found = try environment.sysfs.devices(of: session, .summary) else { return }
      let users = try users.get(at: .now)
      uses = try users.uses(of: found.devices).map(\.description)
      claims = uses.isEmpty && evenClaimed ? try users.claims(of: found.devices) : []
    } catch {
      throw .useUnknown(error)
    }
    guard uses.isEmpty else { throw .inUse(uses.joined(separator: ", ")) }
    guard claims.isEmpty else { throw .held(claims.joined(separator: ", ")) }
  }

  /// The driver of a session, which is taken up if it is in the kernel and was made by somebody else.
  private func driver(
    of session: SessionID, toRemove: Bool
  ) async throws(OperationError.Cause) -> SessionDriver {
    if let driver = directory.withLock({ $0[session]?.driver }) { return driver }
    do throws(OperationError.Cause) {
      return toRemove ? try await adopt(session, toRemove: true).0 : try await adoptAlone(session)
    } catch {
      // Somebody else has taken it up since the look.
      guard error == .loginUnderWay, let driver = directory.withLock({ $0[session]?.driver }) else { throw error }
      return driver
    }
  }

  // MARK: - Other operations

  /// Reads the sessions' devices again, revives those that error handling gave up, and scans for new ones: all, or of a
  /// session that has only chosen ones those.
  public func rescan(_ sessions: [SessionID]) async -> [Result<[DeviceSnapshot], OperationError>] {
    var found: [SessionID: SessionScanner.Wanted] = [:]
    for session in sessions {
      guard let driver = directory.withLock({ $0[session]?.driver }), let request = await driver.identity.request else {
        continue
      }
      var wanted = SessionScanner.Wanted(settings: request.options.devices, group: request.portal.host.description)
      if case .only = request.options.scan { wanted.mode = request.options.scan }
      found[session] = wanted
    }
    let wanted = found
    return await SessionScanner(sysfs: environment.sysfs).rescan(sessions) { wanted[$0] }
  }

  /// The counters of a session's connection.
  public func statistics(of session: SessionID) async throws(OperationError) -> KernelStatistics {
    let found: SessionSnapshot?
    do throws(SysfsError) { found = try environment.sysfs.session(session, .summary) } catch {
      throw OperationError(.statistics(session), .sysfs(error))
    }
    guard let found else { throw OperationError(.statistics(session), .noSession) }
    // The kernel would run the functions of `iscsi_tcp` on another transport's objects.
    guard found.transport == KernelLink.transport else {
      throw OperationError(.statistics(session), .unsupportedTransport(found.transport))
    }
    do throws(KernelError) {
      return try await environment.link.statistics(of: session)
    } catch {
      // The kernel's word for a connection that it does not have.
      if case .rejected(.getStatistics, .fileExists, by: .interface) = error {
        throw OperationError(.statistics(session), .noSession)
      }
      throw OperationError(.statistics(session), .kernel(error))
    }
  }

  /// Sets timeouts of a session as it lives, of its disks and of those that later scans find, and for its logins from now on.
  /// All is read back: what the outcomes tell is what the kernel shows. What a session that is being recovered cannot take is
  /// kept, and set when it is back.
  ///
  /// - Parameters:
  ///   - settings: What to change. What only records have is passed over.
  ///   - session: The kernel's number.
  ///   - isTrial: Whether nothing is changed, and the outcomes are what would become of it.
  /// - Returns: What became of each setting at each place; a part can have failed.
  /// - Throws: `OperationError` if nothing can be set, or the kernel refuses; what it took before stays.
  @discardableResult
  public func set(
    _ settings: TimeoutSettings, of session: SessionID, isTrial: Bool = false
  ) async throws(OperationError) -> [SettingOutcome] {
    do throws(OperationError.Cause) {
      let driver = try await driver(of: session, toRemove: false)
      return try await driver.set(settings, isTrial: isTrial)
    } catch {
      throw OperationError(.set(session), error)
    }
  }

  /// What is known of the sessions' supervision, and who asked for each.
  public func supervisions() -> [SessionID: (Supervision, SessionOwner?)] {
    directory.withLock { directory in
      directory.all.reduce(into: [:]) { found, entry in
        guard let session = entry.session, let supervision = entry.supervision else { return }
        found[session] = (supervision, entry.owner)
      }
    }
  }
}

// MARK: - What drivers tell

extension SessionManager: SessionDriverOwner {
  func driver(_ driver: SessionDriver, created session: SessionID, for request: LoginRequest, isid: ISID) {
    guard let ticket = ticket(of: driver) else { return }
    let owner = directory.withLock { directory in
      directory.set(session, for: ticket)
      return directory[ticket]?.owner
    }
    registry?.write(SessionRecord(session: session, request: request, isid: isid, owner: owner))
  }

  func driver(_ driver: SessionDriver, unmade session: SessionID, isLeft: Bool) {
    guard let ticket = ticket(of: driver) else { return }
    directory.withLock { $0.set(nil as SessionID?, for: ticket) }
    guard isLeft else {
      registry?.remove(session)
      return
    }
    // It is removed as soon as it can be; by its record a later manager does so, should this one end before.
    Task {
      do throws(OperationError.Cause) { try await adopt(session, toRemove: true) } catch {
        if error == .noSession { registry?.remove(session) }
      }
    }
  }

  func driver(_ driver: SessionDriver, noted notice: SessionMachine.Notice, _ supervision: Supervision) {
    guard let ticket = ticket(of: driver) else { return }
    let entry = directory.withLock { directory in
      directory.set(supervision, for: ticket)
      return directory[ticket]
    }
    guard let entry else { return }
    if let session = entry.session { registry?.update(session) { $0.note(notice, supervision) } }
    look(at: notice, of: entry, ticket)
    events.post(
      SessionEvent(notice, session: supervision.session, target: entry.key.target, portal: supervision.portal))
  }

  func driver(_ driver: SessionDriver, changed supervision: Supervision) {
    guard let ticket = ticket(of: driver) else { return }
    directory.withLock { $0.set(supervision, for: ticket) }
  }

  func driver(_ driver: SessionDriver, owes settings: TimeoutSettings) {
    updateRecord(of: driver) { $0.due = settings }
  }

  func driver(_ driver: SessionDriver, keeps settings: TimeoutSettings) {
    updateRecord(of: driver) { $0.request.options.take(settings) }
  }

  func driver(_ driver: SessionDriver, hasIdleNOPs areIdle: Bool) {
    updateRecord(of: driver) { $0.areNOPsIdle = areIdle }
  }

  private func updateRecord(of driver: SessionDriver, _ change: (inout SessionRecord) -> Void) {
    guard let ticket = ticket(of: driver), let session = directory.withLock({ $0[ticket]?.session }) else { return }
    registry?.update(session, change)
  }

  func driverEnded(_ driver: SessionDriver) {
    if let session = forget(driver) { registry?.remove(session) }
  }

  /// Removes a driver and its entry; returns the number of its session.
  @discardableResult
  func forget(_ driver: SessionDriver) -> SessionID? {
    guard let ticket = tickets.withLock({ $0.removeValue(forKey: ObjectIdentifier(driver)) }) else { return nil }
    return directory.withLock { directory in
      defer { directory.release(ticket) }
      return directory[ticket]?.session
    }
  }

  func ticket(of driver: SessionDriver) -> SessionDirectory<SessionDriver>.Ticket? {
    tickets.withLock { $0[ObjectIdentifier(driver)] }
  }
}
