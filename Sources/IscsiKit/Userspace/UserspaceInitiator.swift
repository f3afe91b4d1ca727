// SPDX-License-Identifier: Apache-2.0

/// A session of libiscsi's initiator, which lives in this process and needs neither root nor a kernel module.
///
/// It looks at a target without making any device: which units it has, what they are, whether a block can be read.
/// The session does one call at a time and is not Sendable, so a second call at the same time is an error (`.busy`)
/// and not a race. Any failure but a unit's own answer closes the session; so do a deadline and a cancellation.
///
/// What units answer is parsed here, with every length checked, but the PDUs around it are parsed by libiscsi. Version
/// 1.19 can be crashed by a target that means harm (a Data-In as the answer to a Login or Logout Request is a NULL
/// dereference in it): keep this out of a process that must not end.
public final class UserspaceInitiator {
  /// How many UNIT ATTENTIONs a unit may answer to one command.
  private static let attentionLimit = 10

  private let connection: ISCSIConnection
  /// The target of the session.
  public let target: TargetName
  /// The portal that took the login, after any redirection.
  public let portal: Portal

  private init(connection: ISCSIConnection, target: TargetName, portal: Portal) {
    self.connection = connection
    self.target = target
    self.portal = portal
  }

  /// Connects to `portal` and logs in to `target`, going on to another portal where the target asks for it.
  ///
  /// A host name is resolved, and its addresses are tried in their order. `deadline` is for all of this.
  ///
  /// - Throws: `mutualAuthentication` for credentials of the target: libiscsi cannot be trusted to check them.
  public static func connect(
    to target: TargetName, at portal: Portal, authentication: Authentication = .none, initiator: InitiatorName,
    until deadline: ContinuousClock.Instant
  ) async throws(UserspaceError) -> UserspaceInitiator {
    var route = LoginRoute(portal)
    while true {
      let portal = route.current
      let operation = "login to \(target) at \(portal.address)"
      let connection = try await open(portal, operation, until: deadline) { () throws(UserspaceError) in
        try makeConnection(operation, target, authentication, initiator)
      }
      switch try await logIn(connection, operation, until: deadline) {
      case .accepted:
        return UserspaceInitiator(connection: connection, target: target, portal: portal)
      case .rejected(let status, let redirection):
        if status == .authenticationFailure, authentication.outgoing == nil {
          throw UserspaceError(operation, .authenticationRequired)
        }
        guard status.statusClass == 1, let address = redirection else {
          throw UserspaceError(operation, .loginRejected(status))
        }
        guard let next = try? Portal(address) else { throw UserspaceError(operation, .badRedirection(address)) }
        do {
          try route.follow(LoginRedirect(portal: next, isPermanent: status == .movedPermanently))
        } catch {
          throw UserspaceError(operation, .redirection(error))
        }
      }
    }
  }

  /// Asks the portal for its targets (SendTargets) by libiscsi's code.
  ///
  /// For whoever wants to look at targets from user space only, and as a check of ``SendTargetsDiscovery``, which it shares
  /// nothing with: the commands discover by that, since it tells more and needs no trust. Targets whose name is no iSCSI name
  /// are left out, and so are portals that cannot be used; warnings there are none.
  ///
  /// - Throws: `mutualAuthentication` for credentials of the target, as a login.
  public static func discover(
    at portal: Portal, authentication: Authentication = .none, initiator: InitiatorName,
    until deadline: ContinuousClock.Instant
  ) async throws(UserspaceError) -> [DiscoveredTarget] {
    let operation = "discovery at \(portal.address)"
    let connection = try await open(portal, operation, until: deadline) { () throws(UserspaceError) in
      try makeConnection(operation, nil, authentication, initiator)
    }
    if case .rejected(let status, _) = try await logIn(connection, operation, until: deadline) {
      throw UserspaceError(operation, .loginRejected(status))
    }
    do {
      let found = try await connection.discover(until: deadline).compactMap { entry -> DiscoveredTarget? in
        guard let name = try? TargetName(entry.name) else { return nil }
        return DiscoveredTarget(name: name, portals: entry.portals.compactMap { try? Portal($0).named(by: portal) })
      }
      // The answer is here; a target that drops the connection instead of a Logout Response takes nothing from it.
      try? await connection.logout(until: deadline)
      return found
    } catch {
      throw UserspaceError(operation, of: error)
    }
  }

  /// Logs out and closes the connection. The connection is closed too if this is never called.
  public func disconnect(until deadline: ContinuousClock.Instant) async throws(UserspaceError) {
    do { try await connection.logout(until: deadline) } catch {
      throw UserspaceError("logout from \(target) at \(portal.address)", of: error)
    }
  }

  // MARK: Commands

  /// The units of the target, by number; well known units are not among them.
  public func reportLUNs(until deadline: ContinuousClock.Instant) async throws(UserspaceError) -> [LUN] {
    // SAM limits a target to 16384 units of one level; the first size is enough for nearly all.
    let limit: UInt32 = 8 + 8 * 16_384
    var allocation: UInt32 = 8 + 8 * 256
    while true {
      let command = SCSICommand.reportLUNs(allocation: allocation)
      guard let list = LUNList(try await data(of: command, from: LUN(rawValue: 0), until: deadline)) else {
        throw UserspaceError(operation(command, LUN(rawValue: 0)), .malformedAnswer)
      }
      guard list.fullLength > allocation - 8, allocation < limit else { return Set(list.luns).sorted() }
      allocation = list.fullLength < limit - 8 ? list.fullLength + 8 : limit
    }
  }

  /// Asks a unit for all that it tells about itself.
  ///
  /// What a unit does not support is nil in the description. A unit that is not ready is described as far as it answers.
  public func identify(
    _ lun: LUN, until deadline: ContinuousClock.Instant
  ) async throws(UserspaceError) -> LogicalUnitDescription {
    let answer = try await data(of: .inquiry, from: lun, until: deadline)
    guard let inquiry = InquiryData(answer) else { throw UserspaceError(operation(.inquiry, lun), .malformedAnswer) }
    var unit = LogicalUnitDescription(lun: lun, inquiry: inquiry)
    guard unit.isConnected else { return unit }
    unit.readiness = try await readiness(of: lun, until: deadline)
    if unit.type.hasBlocks, case .ready = unit.readiness { try await measure(&unit, until: deadline) }
    // Some devices mistake a page that they do not list, so only listed ones are asked for.
    let listed = try await page(0x00, of: lun, until: deadline)?.supportedPages ?? []
    for code in [0x80, 0x83, 0xB0, 0xB2] as [UInt8] where listed.contains(code) {
      if let page = try await page(code, of: lun, until: deadline) { unit.apply(page) }
    }
    if unit.type.hasBlocks, let header = try await optionalData(of: .modeSense6, from: lun, until: deadline) {
      unit.isWriteProtected = header.isWriteProtectedByModeHeader
    }
    if unit.access != nil,
      let report = try await optionalData(of: .reportTargetPortGroups, from: lun, until: deadline)
    {
      if let groups = TargetPortGroups(report) { unit.apply(groups) }
    }
    return unit
  }

  /// Reads block 0 of a unit and tells how long the read took: the path works down to the medium.
  public func readFirstBlock(
    of lun: LUN, until deadline: ContinuousClock.Instant
  ) async throws(UserspaceError) -> Duration {
    let short = try await data(of: .readCapacity10, from: lun, until: deadline)
    let operation = operation(.readCapacity10, lun)
    guard let capacity = CapacityData(short: short) else { throw UserspaceError(operation, .malformedAnswer) }
    // 64 KiB is far more than any block of a disk; a larger number is a lie that would only cost memory.
    guard (1...65_536).contains(capacity.blockSize) else { throw UserspaceError(operation, .noBlocks) }
    let read = SCSICommand.read(block: 0, blockSize: capacity.blockSize)
    let start = ContinuousClock.now
    let block = try await data(of: read, from: lun, until: deadline)
    let elapsed = ContinuousClock.now - start
    guard block.count == Int(capacity.blockSize) else {
      throw UserspaceError(self.operation(read, lun), .malformedAnswer)
    }
    return elapsed
  }

  private func readiness(
    of lun: LUN, until deadline: ContinuousClock.Instant
  ) async throws(UserspaceError) -> Readiness {
    let answer = try await answer(to: .testUnitReady, from: lun, until: deadline)
    switch answer.status {
    case SCSIAnswer.good, SCSIAnswer.conditionMet: return .ready
    case SCSIAnswer.reservationConflict: return .reserved
    case SCSIAnswer.busy, SCSIAnswer.taskSetFull: return .busy
    case SCSIAnswer.checkCondition:
      // A unit that does not know the command is taken as ready: there is nothing else to go by.
      guard let sense = answer.sense else { throw UserspaceError(operation(.testUnitReady, lun), .malformedAnswer) }
      return sense.isUnsupported ? .ready : .notReady(sense)
    default: throw UserspaceError(operation(.testUnitReady, lun), .status(answer.status))
    }
  }

  private func measure(
    _ unit: inout LogicalUnitDescription, until deadline: ContinuousClock.Instant
  ) async throws(UserspaceError) {
    if let long = try await optionalData(of: .readCapacity16, from: unit.lun, until: deadline),
      let capacity = CapacityData(long: long)
    {
      unit.apply(capacity, isLong: true)
    } else if let short = try await optionalData(of: .readCapacity10, from: unit.lun, until: deadline),
      let capacity = CapacityData(short: short), !capacity.needsLongForm
    {
      unit.apply(capacity, isLong: false)
    }
  }

  private func page(
    _ code: UInt8, of lun: LUN, until deadline: ContinuousClock.Instant
  ) async throws(UserspaceError) -> ProductDataPage? {
    try await optionalData(of: .inquiry(page: code), from: lun, until: deadline).flatMap {
      ProductDataPage($0, code: code)
    }
  }

  // MARK: One command

  /// The data of a command; nil if the unit refuses it for whatever reason of its own.
  private func optionalData(
    of command: SCSICommand, from lun: LUN, until deadline: ContinuousClock.Instant
  ) async throws(UserspaceError) -> [UInt8]? {
    let answer = try await answer(to: command, from: lun, until: deadline)
    return answer.status == SCSIAnswer.good ? answer.data : nil
  }

  private func data(
    of command: SCSICommand, from lun: LUN, until deadline: ContinuousClock.Instant
  ) async throws(UserspaceError) -> [UInt8] {
    let answer = try await answer(to: command, from: lun, until: deadline)
    if let sense = answer.sense { throw UserspaceError(operation(command, lun), .sense(sense)) }
    guard answer.status == SCSIAnswer.good else {
      throw UserspaceError(operation(command, lun), .status(answer.status))
    }
    return answer.data
  }

  /// Sends a command, again where the unit has news first (UNIT ATTENTION), which every new session gets.
  private func answer(
    to command: SCSICommand, from lun: LUN, until deadline: ContinuousClock.Instant
  ) async throws(UserspaceError) -> SCSIAnswer {
    guard lun.rawValue & 0x0000_FFFF_FFFF_FFFF == 0 else {
      throw UserspaceError(operation(command, lun), .unaddressable)
    }
    let address = UInt16(truncatingIfNeeded: lun.rawValue >> 48)
    var attentions = 0
    while true {
      do {
        let answer = try await connection.execute(command, lun: address, until: deadline)
        guard answer.sense?.key == SCSISense.unitAttention, attentions < Self.attentionLimit else { return answer }
        attentions += 1
      } catch {
        throw UserspaceError(operation(command, lun), of: error)
      }
    }
  }

  private func operation(_ command: SCSICommand, _ lun: LUN) -> String {
    "\(command.name) of LUN \(lun) of \(target) at \(portal.address)"
  }

  // MARK: Opening

  private static func makeConnection(
    _ operation: String, _ target: TargetName?, _ authentication: Authentication, _ initiator: InitiatorName
  ) throws(UserspaceError) -> ISCSIConnection {
    // libiscsi 1.19 lets a target in that sends a wrong proof or none: what looks like a check would be none.
    guard authentication.incoming == nil else { throw UserspaceError(operation, .mutualAuthentication) }
    if authentication.outgoing != nil, !authentication.algorithms.contains(.md5) {
      throw UserspaceError(operation, .unsupportedAlgorithms(authentication.algorithms))
    }
    do { try authentication.validate() } catch { throw UserspaceError(operation, .unusableCredentials) }
    do {
      return try ISCSIConnection(initiator: initiator, target: target, authentication: authentication)
    } catch {
      throw UserspaceError(operation, of: .context(error))
    }
  }

  private static func logIn(
    _ connection: ISCSIConnection, _ operation: String, until deadline: ContinuousClock.Instant
  ) async throws(UserspaceError) -> ISCSIConnection.LoginOutcome {
    do { return try await connection.login(until: deadline) } catch { throw UserspaceError(operation, of: error) }
  }

  /// A connection of `make` to the first address of the portal that takes it.
  private static func open(
    _ portal: Portal, _ operation: String, until deadline: ContinuousClock.Instant,
    _ make: () throws(UserspaceError) -> ISCSIConnection
  ) async throws(UserspaceError) -> ISCSIConnection {
    // libiscsi would block while it asks the resolver, so it gets numeric addresses.
    let addresses: [SocketAddress]
    do { addresses = try await portal.resolve(until: deadline) } catch {
      throw UserspaceError(operation, .transport(error))
    }
    var refusal = UserspaceError(operation, .transport(.unresolvable("no address")))
    for address in addresses {
      // libiscsi cannot use a context again whose connect failed.
      let connection = try make()
      do {
        try await connection.connect(to: address, until: deadline)
        return connection
      } catch {
        refusal = UserspaceError(operation, of: error)
        guard case .connect = error else { throw refusal }
      }
    }
    throw refusal
  }
}
