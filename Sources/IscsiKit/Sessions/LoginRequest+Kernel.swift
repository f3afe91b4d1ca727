// SPDX-License-Identifier: Apache-2.0

extension LoginRequest {
  /// The request that would have made a session that is in the kernel, as far as the kernel and the record of its node
  /// tell; nil if target, portal or our name are not known.
  ///
  /// The kernel has the last word: a record may have been edited since. What the kernel does not show (the digests of CHAP,
  /// which units are wanted, how long a login may take) is the record's.
  ///
  /// - Parameters:
  ///   - session: The session with all its details.
  ///   - initiator: Our name, if neither the kernel nor the record shows the session's.
  ///   - secrets: The session's CHAP secrets, if the kernel has them.
  ///   - record: The record of its node; nil if there is none, or none that can be used.
  init?(
    deriving session: SessionSnapshot, initiator: InitiatorName?, secrets: (outgoing: Secret?, incoming: Secret?),
    record: NodeRecord? = nil
  ) {
    guard let target = session.targetName.flatMap({ try? TargetName($0) }), let portal = session.configuredPortal,
      let initiator = (session.initiatorName ?? session.host?.initiatorName).flatMap({ try? InitiatorName($0) })
        ?? record?.interface.initiatorName.flatMap({ try? InitiatorName($0) }) ?? initiator
    else { return nil }
    self.init(initiator: initiator, target: target, portal: portal)
    let recorded = record.flatMap { record in
      // What its connection is bound to the kernel tells; that nothing can be bound to the interface takes nothing else away.
      var unbound = record
      (unbound.interface.networkDevice, unbound.interface.hardwareAddress, unbound.interface.address) = (nil, nil, nil)
      return try? LoginDescription(unbound).request { () throws(LoginDescriptionError) in initiator }
    }
    if let recorded { options = recorded.options }
    if let binding = try? record?.interface.binding() { options.binding = binding }
    options.interfaceName = session.interfaceName ?? options.interfaceName
    // The kernel does not know which digest the login had. MD5 is open-iscsi's default, and what every target knows; some
    // refuse a list that has more.
    let algorithms = record?.authentication.algorithms ?? []
    options.authentication = Authentication(
      outgoing: Self.credentials(session.userName, secrets.outgoing) ?? options.authentication.outgoing,
      incoming: Self.credentials(session.userNameIn, secrets.incoming) ?? options.authentication.incoming,
      algorithms: algorithms.isEmpty ? [.md5] : algorithms)
    let shown = session.shownBinding
    if shown != .automatic { options.binding = shown }
    // Which units are wanted is not known: those that are there.
    if recorded == nil { options.scan = .none }
    adoptNegotiated(session.negotiated, isConnected: session.isConnectionUp, isRecorded: recorded != nil)
    adoptTimeouts(session)
  }

  private static func credentials(_ name: String?, _ secret: Secret?) -> CHAPCredentials? {
    guard let name, let secret else { return nil }
    return CHAPCredentials(name: name, secret: secret)
  }

  /// What was agreed on is what is asked for again. What the kernel shows of a login that never came to its end is zero.
  private mutating func adoptNegotiated(_ negotiated: NegotiatedSnapshot, isConnected: Bool, isRecorded: Bool) {
    if isConnected {
      Self.adopt(negotiated.headerDigest, into: &options.operational.headerDigest, isRecorded)
      Self.adopt(negotiated.dataDigest, into: &options.operational.dataDigest, isRecorded)
    } else if !isRecorded {
      // With the connection the kernel forgets its digests.
      options.operational.headerDigest = [.none, .crc32c]
      options.operational.dataDigest = [.none, .crc32c]
    }
    options.operational.initialR2T ?= negotiated.initialR2T
    options.operational.immediateData ?= negotiated.immediateData
    let lengths: ClosedRange<UInt32> = 512...0xFF_FFFF
    options.operational.firstBurstLength ?= negotiated.firstBurstLength.flatMap { lengths.contains($0) ? $0 : nil }
    options.operational.maxBurstLength ?= negotiated.maxBurstLength.flatMap { lengths.contains($0) ? $0 : nil }
    options.operational.maxRecvDataSegmentLength
      ?= negotiated.maxRecvDataSegmentLength.flatMap { lengths.contains($0) ? $0 : nil }
    options.operational.maxOutstandingR2T ?= negotiated.maxOutstandingR2T.flatMap { $0 > 0 ? $0 : nil }
  }

  /// A list on record that has what was agreed on is asked for again: the target may want another of it by then.
  private static func adopt(_ agreed: Digest?, into wanted: inout [Digest], _ isRecorded: Bool) {
    guard let agreed, !(isRecorded && wanted.contains(agreed)) else { return }
    wanted = [agreed]
  }

  /// Takes the timeouts over that the kernel has: what somebody has set on the living session holds.
  mutating func adoptTimeouts(_ session: SessionSnapshot) {
    if let seconds = session.replacementTimeout {
      options.timeouts.replacement = seconds < 0 ? nil : .seconds(seconds)
    }
    options.timeouts.abort ?= session.abortTimeout.map { .seconds($0) }
    options.timeouts.luReset ?= session.luResetTimeout.map { .seconds($0) }
    options.timeouts.targetReset ?= session.targetResetTimeout.map { .seconds($0) }
    options.timeouts.noopInterval ?= session.connection?.noopInterval.map { .seconds($0) }
    options.timeouts.noopTimeout ?= session.connection?.noopTimeout.map { .seconds($0) }
    options.fastAbort ?= session.fastAbort
  }
}

infix operator ?= : AssignmentPrecedence

/// Assigns what is known.
private func ?= <Value>(variable: inout Value, value: Value?) {
  if let value { variable = value }
}

extension SessionSnapshot {
  /// What its connection is bound to, as far as the kernel shows it: an address by the name of an interface that has none of
  /// its own.
  var shownBinding: InterfaceBinding {
    if let device = host?.networkDevice, PortalHost.isInterfaceName(device) { return .device(device) }
    if let address = host?.hardwareAddress.flatMap({ HardwareAddress($0) }) { return .hardwareAddress(address) }
    return interfaceName.flatMap { IPAddress($0) }.map(InterfaceBinding.sourceAddress) ?? .automatic
  }
}
