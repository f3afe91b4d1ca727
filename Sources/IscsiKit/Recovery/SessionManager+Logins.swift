// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

extension SessionManager {
  /// How long the claims of a call's logins wait for the addresses of host names. Who needs longer comes later than the
  /// others.
  private static let nameTimeout = Duration.seconds(1)
  /// How long a login waits for its host's address before it is taken for one to another host than all that are known.
  private static let longNameTimeout = Duration.seconds(5)

  /// Logs in, and scans for logical units as the options say.
  ///
  /// - Parameters:
  ///   - request: Who logs in to what.
  ///   - progress: Is told each step as it begins.
  /// - Returns: The session, and what the scan found.
  /// - Throws: `OperationError`; nothing of the attempt is left in the kernel then, unless its `leftover` says so.
  public func login(
    _ request: LoginRequest, progress: @escaping @Sendable (LoginStep) -> Void = { _ in }
  ) async throws(OperationError) -> LoginReport {
    guard let result = await login([request], progress: { progress($1) }).first else {
      throw OperationError(.login(request.target, request.portal), .cancelled)
    }
    return try result.get()
  }

  /// Logs in to many targets at a time. The results stand in the order of the requests; of those with the same target,
  /// portal and interface, as many are made as are wanted.
  ///
  /// A login whose session somebody else is just making waits for that, and fails with `sessionExists` if it is made; if it
  /// fails, equal logins fail as it has, and another tries by itself. While a session that would be one too many is being
  /// logged out of, a login waits for its end, but no longer than it may try.
  ///
  /// - Parameters:
  ///   - requests: Who logs in to what.
  ///   - owner: Who asks.
  ///   - progress: Is told the number of the request and its step, as it begins.
  /// - Returns: How each login ended.
  public func login(
    _ requests: [LoginRequest], owner: SessionOwner? = nil,
    progress: @escaping @Sendable (Int, LoginStep) -> Void = { _, _ in }
  ) async -> [Result<LoginReport, OperationError>] {
    var places = await places(of: requests)
    let claims = claim(&places, owner: owner)
    // All at once: a target that is dead is tried for minutes, and is to hold up no other. What a target has to take is
    // bounded by the gate of its portal, what the machine has to by the number of requests: one that waits costs a task and
    // a driver, some kilobytes, and a message has no more than some thousand requests.
    return await inParallel(Array(zip(places, claims)), limit: requests.count) { [self] index, item in
      defer { progress(index, .end) }
      let (place, claim) = item
      do throws(OperationError.Cause) {
        // Most have theirs already, and are spared the memory of who waits for it.
        let driver: SessionDriver
        if case .success(.claimed(let ticket))? = claim {
          driver = try self.driver(of: .claimed(ticket))
        } else {
          driver = try await self.driver(of: place, claim, owner: owner)
        }
        return await driver.logIn { progress(index, $0) }
      } catch {
        return .failure(OperationError(.login(place.request.target, place.request.portal), error))
      }
    }
  }

  /// Begins to log in to many targets and does not wait, not for what others do either; what becomes of it shows in the events.
  ///
  /// - Returns: Why a login could not begin, in the order of the requests; nil for each that has begun.
  public func beginLogin(_ requests: [LoginRequest], owner: SessionOwner? = nil) async -> [OperationError?] {
    var errors: [OperationError?] = []
    var places = await places(of: requests).map(\.asKnown)
    let claims = claim(&places, owner: owner)
    for (place, claim) in zip(places, claims) {
      do throws(OperationError.Cause) {
        guard let claim = try claim?.get() else { throw .loginUnderWay }
        try await driver(of: claim).beginLogIn()
        errors.append(nil)
      } catch {
        errors.append(OperationError(.login(place.request.target, place.request.portal), error))
      }
    }
    return errors
  }

  // MARK: - Claims

  private typealias Claim = SessionDirectory<SessionDriver>.Claim

  /// A request and the keys of the session that it wants.
  private struct Place: Sendable {
    let request: LoginRequest
    let key: SessionKey
    /// The key by the address that its host's name stands for.
    var alias: SessionKey?
    /// Whether the name has not come to an address yet.
    var isPending = false
    /// The sessions of the key that the kernel has shown; nil as long as nobody has looked.
    var shown: [SessionID]?

    /// The name of the portal's host, if it is one.
    var name: String? {
      guard case .name(let name) = request.portal.host else { return nil }
      return name
    }

    /// The same without the wait for an address.
    var asKnown: Place {
      var place = self
      place.isPending = false
      return place
    }
  }

  private func places(of requests: [LoginRequest]) async -> [Place] {
    var places = requests.map { Place(request: $0, key: SessionKey($0)) }
    // Only names need looking up, and a task each.
    let named = places.indices.filter { places[$0].name != nil }
    let found = await inParallel(named.map { places[$0] }, limit: named.count) { _, place in
      await Self.resolved(place, until: .now + Self.nameTimeout)
    }
    for (index, place) in zip(named, found) { places[index] = place }
    return places
  }

  private static func resolved(_ place: Place, until deadline: ContinuousClock.Instant) async -> Place {
    var place = place
    guard let name = place.name else { return place }
    place.isPending = false
    do throws(TransportError) {
      // The first address is the one that is tried first, and the one by which open-iscsi compares.
      let port = place.request.portal.port
      let found = try await NameResolver.shared.addresses(of: name, port: port, until: deadline)
      place.alias = found.first.flatMap { SessionKey.byAddress(place.request, $0) }
    } catch {
      // What is wrong with the name is told by the login.
      place.isPending = .now >= deadline
    }
    return place
  }

  /// Claims sessions, or another place for one that is claimed; nil for what waits for an address.
  private func claim(
    _ places: inout [Place], owner: SessionOwner?, moving claimed: SessionDirectory<SessionDriver>.Ticket? = nil
  ) -> [Result<Claim, OperationError.Cause>?] {
    do throws(SysfsError) { try look(at: &places) } catch { return places.map { _ in .failure(.sysfs(error)) } }
    return directory.withLock { directory in
      places.map { place in
        guard !place.isPending else { return nil }
        // One whose logout has ended since sysfs was read is gone.
        let there = Set(place.shown ?? []).filter { (try? environment.sysfs.hasSession($0)) ?? true }
        let wanted = place.request.options.sessionCount
        if let claimed, let alias = place.alias {
          return .success(directory.move(claimed, to: alias, wanted: wanted, shown: there.sorted()))
        }
        let claim = directory.claim(
          place.key, alias: place.alias, wanted: wanted, shown: there.sorted(), owner: owner)
        if case .claimed(let ticket) = claim { enter(place.request, ticket, in: &directory) }
        return .success(claim)
      }
    }
  }

  /// Finds the sessions that are there, all at once, for places of which that is not known. Of one that has waited for a
  /// logout it is: hundreds that wait for as many logouts must not list all sessions each.
  private func look(at places: inout [Place]) throws(SysfsError) {
    let unknown = places.indices.filter { !places[$0].isPending && places[$0].shown == nil }
    guard !unknown.isEmpty else { return }
    let existing = Self.byKey(try strangers())
    for index in unknown {
      places[index].shown =
        (existing[places[index].key] ?? []) + (places[index].alias.flatMap { existing[$0] } ?? [])
    }
  }

  /// The sessions that are in the kernel and have no entry: of the others the directory knows more than sysfs.
  private func strangers() throws(SysfsError) -> [SessionSnapshot] {
    let numbers = try environment.sysfs.sessionNumbers()
    let unknown = directory.withLock { directory in numbers.filter { directory[$0] == nil } }
    return try environment.sysfs.sessions(.summary, of: unknown)
  }

  private static func byKey(_ sessions: [SessionSnapshot]) -> [SessionKey: [SessionID]] {
    sessions.reduce(into: [:]) { found, session in
      found[SessionKey(session), default: []].append(session.id)
      if let alias = SessionKey.byAddress(session) { found[alias, default: []].append(session.id) }
    }
  }

  /// The driver of a login whose claim has come to this, as soon as the address of its host is known, and what is in its way
  /// is gone.
  private func driver(
    of place: Place, _ claim: Result<Claim, OperationError.Cause>?, owner: SessionOwner?,
    moving claimed: SessionDirectory<SessionDriver>.Ticket? = nil
  ) async throws(OperationError.Cause) -> SessionDriver {
    var (places, claim) = ([place], claim)
    if claim == nil, claimed == nil {
      places = [await Self.resolved(place, until: .now + Self.longNameTimeout).asKnown]
    }
    let timeouts = place.request.options.timeouts
    let deadline = ContinuousClock.now + max(timeouts.login, timeouts.loginRetryWindow)
    while true {
      let result = claim ?? self.claim(&places, owner: owner, moving: claimed).first.flatMap(\.self)
      guard let now = try result?.get() else { throw .loginUnderWay }
      guard try await hasWaited(for: now, place.request, until: deadline, isConnected: claimed != nil) else {
        return try driver(of: now)
      }
      claim = nil
    }
  }

  /// Waits for what keeps a claim from being granted; false if nothing does, or for too long.
  private func hasWaited(
    for claim: Claim, _ request: LoginRequest, until deadline: ContinuousClock.Instant, isConnected: Bool
  ) async throws(OperationError.Cause) -> Bool {
    switch claim {
    case .leaving(let ticket):
      // Without a driver it is gone by now.
      guard let driver = directory.withLock({ $0[ticket]?.driver }) else { return true }
      return await driver.waitForEnd(until: deadline)
    case .underWay(let ticket):
      // Two that have come by names to each other's addresses would wait for each other.
      guard !isConnected else { return false }
      guard let driver = directory.withLock({ $0[ticket]?.driver }) else { return true }
      // It ends by itself, in a time that is its own matter: nobody is told that a session exists before it does.
      guard let end = await driver.waitForLogin() else { return false }
      // Another try would only take as long again.
      if case .failed(let other, let cause) = end, other == request, cause != .cancelled { throw cause }
      return true
    case .claimed, .exists: return false
    }
  }

  /// Claims the session at the address that the name of a portal's host has led to, if it is another one than the first: one may
  /// be there by its address.
  func driver(
    _ driver: SessionDriver, connectedTo address: SocketAddress, for request: LoginRequest, isFirst: Bool
  ) async throws(OperationError.Cause) {
    guard let ticket = ticket(of: driver), let alias = SessionKey.byAddress(request, address),
      directory.withLock({ $0[ticket]?.alias }) != alias
    else { return }
    // What is there already goes on wherever its host is found.
    guard isFirst else { return directory.withLock { $0.set(alias: alias, for: ticket) } }
    let place = Place(request: request, key: SessionKey(request), alias: alias)
    _ = try await self.driver(of: place, nil, owner: nil, moving: ticket)
  }

  private func driver(of claim: Claim) throws(OperationError.Cause) -> SessionDriver {
    switch claim {
    case .claimed(let ticket):
      guard let driver = directory.withLock({ $0[ticket]?.driver }) else { throw .cancelled }
      return driver
    case .exists(let session): throw .sessionExists(session)
    case .underWay:
      guard !Task.isCancelled else { throw .cancelled }
      throw .loginUnderWay
    case .leaving(let ticket):
      guard !Task.isCancelled else { throw .cancelled }
      throw .logoutUnderWay(directory.withLock { $0[ticket]?.session })
    }
  }
}
