// SPDX-License-Identifier: Apache-2.0

public import SystemPackage

/// The sessions of the kernel's initiator: logs in and out, scans and rescans. Each call may run beside others.
public struct KernelSessions: Sendable {
  /// How many logins or logouts of one call run at a time: enough to hide the network's delays, few enough for a target
  /// that has just come back.
  public static let concurrency = 32

  private let link: KernelLink
  private let sysfs: Sysfs
  private let runtimeDirectory: FilePath

  /// Sessions over a link.
  ///
  /// - Parameters:
  ///   - link: The link to the kernel.
  ///   - sysfs: Another sysfs than the kernel's is for tests.
  ///   - runtimeDirectory: Where programs see each other's logins under way. Where it cannot be written, as in an early
  ///     initramfs, logins go on without.
  public init(link: KernelLink, sysfs: Sysfs = Sysfs(), runtimeDirectory: FilePath = "/run/iscsi-admin") {
    self.link = link
    self.sysfs = sysfs
    self.runtimeDirectory = runtimeDirectory
  }

  /// Logs in, and scans for logical units as the options say.
  ///
  /// - Parameters:
  ///   - request: Who logs in to what.
  ///   - progress: Is told each step as it begins; called by the task that logs in.
  /// - Returns: The session, and what the scan found.
  /// - Throws: `OperationError`; nothing of the attempt is left in the kernel then, unless its `leftover` says so.
  public func login(
    _ request: LoginRequest, progress: @escaping @Sendable (LoginStep) -> Void = { _ in }
  ) async throws(OperationError) -> LoginReport {
    defer { progress(.end) }
    let locks = OperationLocks(directory: runtimeDirectory)
    let claim = locks.claim(request.key.description)
    return try await login(request, claim, of: locks, existing: existing(), progress: progress).get()
  }

  /// Logs in to many targets at a time. The results stand in the order of the requests; of those with the same target,
  /// portal and interface, the first one is made.
  public func login(
    _ requests: [LoginRequest], progress: @escaping @Sendable (Int, LoginStep) -> Void = { _, _ in }
  ) async -> [Result<LoginReport, OperationError>] {
    let locks = OperationLocks(directory: runtimeDirectory)
    let claims = requests.map { locks.claim($0.key.description) }
    let existing = existing()
    return await inParallel(Array(zip(requests, claims))) { index, item in
      defer { progress(index, .end) }
      return await login(item.0, item.1, of: locks, existing: existing) { progress(index, $0) }
    }
  }

  private func login(
    _ request: LoginRequest, _ claim: OperationLocks.Outcome, of locks: OperationLocks,
    existing: Result<[SessionKey: SessionID], OperationError.Cause>, progress: @escaping @Sendable (LoginStep) -> Void
  ) async -> Result<LoginReport, OperationError> {
    // The claim ends with the login. What is taken may be another login's of the same call, and is not ours to release.
    defer { if claim == .claimed { locks.release(request.key.description) } }
    let operation = OperationError.Operation.login(request.target, request.portal)
    do throws(OperationError.Cause) {
      if let session = try existing.get()[request.key] { throw .sessionExists(session) }
      if claim == .taken { throw .loginUnderWay }
    } catch {
      return .failure(OperationError(operation, error))
    }
    do throws(SessionLogin.Failure) {
      return .success(try await SessionLogin(link: link, sysfs: sysfs, request: request, progress: progress).run())
    } catch {
      return .failure(OperationError(operation, error.cause, leftover: error.leftover))
    }
  }

  /// Logs out of many sessions at a time. The results stand in the order of the sessions.
  ///
  /// A summary of each session is enough: what a logout goes by is read again when it begins.
  /// - Throws (in a result): `OperationError` only if the session is still there, or with `noSession` if it was gone
  ///   before.
  public func logOut(
    _ sessions: [SessionSnapshot], timeout: Duration = .seconds(15)
  ) async -> [Result<LogoutReport, OperationError>] {
    await inParallel(sessions) { _, snapshot in
      do throws(OperationError.Cause) {
        return .success(try await SessionLogout(link: link, sysfs: sysfs, logoutTimeout: timeout).run(snapshot.id))
      } catch {
        return .failure(OperationError(.logout(snapshot.id, target: snapshot.targetName), error))
      }
    }
  }

  /// The sessions that exist. To be asked for with the claim in hand: a login lets go of its claim only when its session
  /// is here, so one of the two shows it.
  private func existing() -> Result<[SessionKey: SessionID], OperationError.Cause> {
    do throws(SysfsError) {
      let sessions = try sysfs.sessions(.summary).compactMap { session in
        SessionKey(session).map { ($0, session.id) }
      }
      return .success(Dictionary(sessions) { first, _ in first })
    } catch {
      return .failure(.sysfs(error))
    }
  }
}

/// Scans of sessions, which need sysfs only.
public struct SessionScanner: Sendable {
  private let sysfs: Sysfs

  /// A scanner; another sysfs than the kernel's is for tests.
  public init(sysfs: Sysfs = Sysfs()) { self.sysfs = sysfs }

  /// Reads the size and properties of the sessions' devices again, revives devices that error handling gave up, and
  /// scans for new logical units. Returns each session's devices, in the order of the sessions.
  public func rescan(_ sessions: [SessionID]) async -> [Result<[DeviceSnapshot], OperationError>] {
    await inParallel(sessions) { _, session in
      do throws(OperationError.Cause) {
        return .success(try await SessionScan(sysfs: sysfs).rescan(session))
      } catch {
        return .failure(OperationError(.scan(session), error))
      }
    }
  }
}

/// What makes two sessions the same to a user: target, portal and interface.
struct SessionKey: Hashable, CustomStringConvertible {
  let target: String
  let host: String
  let port: UInt16
  let interface: String

  /// All parts, apart by blanks, which none of them has but the last.
  var description: String { "\(target) \(host) \(port) \(interface)" }

  /// The key of a session in the kernel; nil if sysfs does not show enough of it.
  init?(_ session: SessionSnapshot) {
    guard let target = session.targetName, let portal = session.configuredPortal else { return nil }
    self.init(target: target, portal: portal, interface: session.interfaceName ?? "default")
  }

  init(target: String, portal: Portal, interface: String) {
    self.target = target
    host = portal.host.description
    port = portal.port
    self.interface = interface
  }
}

extension LoginRequest {
  /// The key of the session that is asked for.
  fileprivate var key: SessionKey {
    SessionKey(target: target.description, portal: portal, interface: options.interfaceName)
  }
}

extension SessionSnapshot {
  /// The portal that was configured, or else the one that is connected; nil if sysfs shows neither.
  public var configuredPortal: Portal? {
    guard var portal = connection?.persistentPortal ?? connection?.portal else { return nil }
    portal.tag = tag
    return portal
  }
}

/// Runs `body` for all elements, at most `KernelSessions.concurrency` at a time, and keeps their order.
private func inParallel<Element: Sendable, Value: Sendable>(
  _ elements: [Element], _ body: @escaping @Sendable (Int, Element) async -> Value
) async -> [Value] {
  await withTaskGroup(of: (Int, Value).self) { group in
    var pending = elements.enumerated().makeIterator()
    for _ in 0..<KernelSessions.concurrency {
      guard let (index, element) = pending.next() else { break }
      group.addTask { (index, await body(index, element)) }
    }
    var results: [(Int, Value)] = []
    results.reserveCapacity(elements.count)
    while let result = await group.next() {
      results.append(result)
      if let (index, element) = pending.next() { group.addTask { (index, await body(index, element)) } }
    }
    return results.sorted { $0.0 < $1.0 }.map(\.1)
  }
}
