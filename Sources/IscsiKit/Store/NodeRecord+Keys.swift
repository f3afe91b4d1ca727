// SPDX-License-Identifier: Apache-2.0

extension NodeRecord: KeyedRecord {
  /// The keys.
  public static let keys = RecordKeys<NodeRecord>(
    identityKeys + InterfaceRecord.keys.all.map { RecordKey($0, in: \.interface) } + discoveryKeys + sessionKeys
      + connectionKeys)

  private static let identityKeys: [RecordKey<NodeRecord>] = [
    RecordKey("node.name", \.target, .targetName, .identity),
    RecordKey("node.tpgt", \.portal.tag, .number(orNone: "-1"), .identity),
    RecordKey("node.startup", \.startup, .word),
    RecordKey("node.leading_login", \.leadingLogin, .yesNo),
  ]

  private static let discoveryKeys: [RecordKey<NodeRecord>] = [
    RecordKey("node.discovery_address", \.discoveryAddress, .text, .identity),
    RecordKey("node.discovery_port", \.discoveryPort, .number(), .identity),
    RecordKey("node.discovery_type", \.discoveryKind, .word, .identity),
  ]

  private static let sessionKeys: [RecordKey<NodeRecord>] = [
    RecordKey("node.session.initial_cmdsn", \.initialCommandSN, .number()),
    RecordKey("node.session.initial_login_retry_max", \.initialLoginRetryLimit, .number()),
    RecordKey("node.session.xmit_thread_priority", \.transmitThreadPriority, .number()),
    RecordKey("node.session.cmds_max", \.maxCommands, .number()),
    RecordKey("node.session.queue_depth", \.queueDepth, .number()),
    RecordKey("node.session.nr_sessions", \.sessionCount, .number(1 ... .max)),
    RecordKey("node.session.auth.authmethod", \.authentication.method, .word),
    RecordKey("node.session.auth.username", \.authentication.name, .text),
    RecordKey("node.session.auth.password", \.authentication.secret, .secret, .secret),
    RecordKey("node.session.auth.username_in", \.authentication.targetName, .text),
    RecordKey("node.session.auth.password_in", \.authentication.targetSecret, .secret, .secret),
    RecordKey("node.session.auth.chap_algs", \.authentication.algorithms, .algorithms),
    RecordKey("node.session.timeo.replacement_timeout", \.timeouts.replacement, .secondsOrForever),
    RecordKey("node.session.err_timeo.abort_timeout", \.timeouts.abort, .seconds),
    RecordKey("node.session.err_timeo.lu_reset_timeout", \.timeouts.luReset, .seconds),
    RecordKey("node.session.err_timeo.tgt_reset_timeout", \.timeouts.targetReset, .seconds),
    RecordKey("node.session.err_timeo.host_reset_timeout", \.hostResetTimeout, .seconds),
    RecordKey("node.session.iscsi.FastAbort", \.fastAbort, .yesNo),
    RecordKey("node.session.iscsi.InitialR2T", \.operational.initialR2T, .yesNo),
    RecordKey("node.session.iscsi.ImmediateData", \.operational.immediateData, .yesNo),
    RecordKey("node.session.iscsi.FirstBurstLength", \.operational.firstBurstLength, .number()),
    RecordKey("node.session.iscsi.MaxBurstLength", \.operational.maxBurstLength, .number()),
    RecordKey("node.session.iscsi.DefaultTime2Retain", \.operational.defaultTime2Retain, .number()),
    RecordKey("node.session.iscsi.DefaultTime2Wait", \.operational.defaultTime2Wait, .number()),
    RecordKey("node.session.iscsi.MaxConnections", \.maxConnections, .number()),
    RecordKey("node.session.iscsi.MaxOutstandingR2T", \.operational.maxOutstandingR2T, .number()),
    RecordKey("node.session.iscsi.ERL", \.errorRecoveryLevel, .number()),
    RecordKey("node.session.scan", \.scan, .word),
    RecordKey("node.session.reopen_max", \.reopenLimit, .number()),
    RecordKey(
      "node.session.sess_reopen_log_freq", \.reopenLogInterval, .number(orNone: ""),
      formerly: ["node.session.conn_reopen_log_freq"], isLeftOutIfUnset: true),
  ]

  private static let connectionKeys: [RecordKey<NodeRecord>] = [
    RecordKey("node.conn[0].address", \.portal.host, .host, .identity),
    RecordKey("node.conn[0].port", \.portal.port, .number(1 ... .max), .identity),
    RecordKey("node.conn[0].startup", \.connectionStartup, .word),
    RecordKey("node.conn[0].tcp.window_size", \.windowSize, .number()),
    RecordKey("node.conn[0].tcp.type_of_service", \.typeOfService, .number()),
    RecordKey("node.conn[0].tcp.congestion_control", \.congestionControl, .text(upTo: 15), isLeftOutIfUnset: true),
    RecordKey("node.conn[0].timeo.logout_timeout", \.logoutTimeout, .seconds),
    RecordKey("node.conn[0].timeo.login_timeout", \.timeouts.login, .seconds),
    RecordKey("node.conn[0].timeo.auth_timeout", \.authenticationTimeout, .seconds),
    RecordKey("node.conn[0].timeo.noop_out_interval", \.timeouts.noopInterval, .seconds),
    RecordKey("node.conn[0].timeo.noop_out_timeout", \.timeouts.noopTimeout, .seconds),
    RecordKey("node.conn[0].iscsi.MaxXmitDataSegmentLength", \.operational.maxXmitDataSegmentLength, .number()),
    RecordKey("node.conn[0].iscsi.MaxRecvDataSegmentLength", \.operational.maxRecvDataSegmentLength, .number()),
    RecordKey("node.conn[0].iscsi.HeaderDigest", \.operational.headerDigest, .digests),
    RecordKey("node.conn[0].iscsi.DataDigest", \.operational.dataDigest, .digests),
    RecordKey("node.conn[0].iscsi.IFMarker", \.initiatorMarkers, .yesNo),
    RecordKey("node.conn[0].iscsi.OFMarker", \.targetMarkers, .yesNo),
    RecordKey("node.boot_lun", \.bootLUN, .text, isLeftOutIfUnset: true),
  ]

  /// A record as it stands in a text; what the text lacks is as where nothing is configured.
  ///
  /// - Throws: What makes the text no record of a node, or is no value of a key.
  public init(_ text: RecordText) throws(RecordError) {
    var errors: [RecordError] = []
    try self.init(text, passingOver: &errors)
    if let error = errors.first { throw error }
  }

  /// The same, but what is no value of a setting is as where nothing is configured: open-iscsi stores any number, and a
  /// record must not get lost by one.
  ///
  /// - Parameters:
  ///   - text: The text.
  ///   - errors: Is told what is passed over.
  /// - Throws: What makes the text no record of a node.
  init(_ text: RecordText, passingOver errors: inout [RecordError]) throws(RecordError) {
    let (name, address) = ("node.name", "node.conn[0].address")
    guard let value = text[name], !value.isEmpty else { throw .missing(key: name) }
    guard let target = try? TargetName(value) else {
      throw .badValue(key: name, expected: RecordValueFormat.targetName.values)
    }
    guard let value = text[address], !value.isEmpty else { throw .missing(key: address) }
    guard let host = try? PortalHost(value) else {
      throw .badValue(key: address, expected: RecordValueFormat.host.values)
    }
    self.init(target: target, portal: Portal(host: host))
    for error in Self.keys.read(text, into: &self) {
      if case .badValue(let key, _) = error, Self.keys[key]?.role == .identity { throw error }
      errors.append(error)
    }
  }

  /// Changes a setting.
  ///
  /// - Parameters:
  ///   - key: Its name, as `node.startup`.
  ///   - value: The value as it stands in files.
  /// - Throws: `unknownKey`, `identity`, or `badValue`; the record is as it was then.
  public mutating func set(_ key: String, to value: String) throws(RecordError) {
    try Self.keys.set(key, to: value, in: &self)
  }

  /// The keys, but those of the version of IP that the interface does not have.
  public var shownKeys: [RecordKey<NodeRecord>] {
    let hidden = interface.hiddenKeys
    return Self.keys.all.filter { !hidden.contains($0.name) }
  }
}

extension RecordValueFormat where Value == TargetName {
  fileprivate static var targetName: Self {
    Self(values: "the name of a target") {
      try? TargetName($0)
    } print: {
      $0.description
    }
  }
}
