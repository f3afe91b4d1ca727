// SPDX-License-Identifier: Apache-2.0

extension NodeRecord: KeyedRecord {
  /// The keys.
  public static let keys = RecordKeys<NodeRecord>(
    identityKeys + interfaceKeys + discoveryKeys + sessionKeys + connectionKeys,
    standard: (try? TargetName("iqn.2000-01.org.example:none")).map {
      NodeRecord(target: $0, portal: Portal(host: .name("none")))
    })

  private static let interfaceKeys = InterfaceRecord.keys.all.map { key in
    RecordKey<NodeRecord>(
      key, of: { $0.interface == $1.interface }, { $0.text(in: &$1.interface) },
      { $0.isSame(in: &$1.interface, &$2.interface) },
      { $0.take($2, into: &$1.interface) })
  }

  private static let identityKeys: [RecordKey<NodeRecord>] = [
    RecordKey("node.name", { $0.target }, { $0.target = $1 }, .targetName, .identity),
    RecordKey("node.tpgt", { $0.portal.tag }, { $0.portal.tag = $1 }, .number(orNone: "-1"), .identity),
    RecordKey("node.startup", { $0.startup }, { $0.startup = $1 }, .word),
    RecordKey("node.leading_login", { $0.leadingLogin }, { $0.leadingLogin = $1 }, .yesNo),
  ]

  private static let discoveryKeys: [RecordKey<NodeRecord>] = [
    RecordKey("node.discovery_address", { $0.discoveryAddress }, { $0.discoveryAddress = $1 }, .text, .identity),
    RecordKey("node.discovery_port", { $0.discoveryPort }, { $0.discoveryPort = $1 }, .number(), .identity),
    RecordKey("node.discovery_type", { $0.discoveryKind }, { $0.discoveryKind = $1 }, .word, .identity),
  ]

  private static let sessionKeys: [RecordKey<NodeRecord>] = [
    RecordKey("node.session.initial_cmdsn", { $0.initialCommandSN }, { $0.initialCommandSN = $1 }, .number()),
    RecordKey(
      "node.session.initial_login_retry_max", { $0.initialLoginRetryLimit }, { $0.initialLoginRetryLimit = $1 },
      .number()),
    RecordKey(
      "node.session.xmit_thread_priority", { $0.transmitThreadPriority }, { $0.transmitThreadPriority = $1 }, .number()),
    RecordKey("node.session.cmds_max", { $0.maxCommands }, { $0.maxCommands = $1 }, .number()),
    RecordKey("node.session.queue_depth", { $0.queueDepth }, { $0.queueDepth = $1 }, .number()),
    RecordKey("node.session.nr_sessions", { $0.sessionCount }, { $0.sessionCount = $1 }, .number(1 ... .max)),
    RecordKey("node.session.auth.authmethod", { $0.authentication.method }, { $0.authentication.method = $1 }, .word),
    RecordKey("node.session.auth.username", { $0.authentication.name }, { $0.authentication.name = $1 }, .text),
    RecordKey(
      "node.session.auth.password", { $0.authentication.secret }, { $0.authentication.secret = $1 }, .secret, .secret),
    RecordKey(
      "node.session.auth.username_in", { $0.authentication.targetName }, { $0.authentication.targetName = $1 }, .text),
    RecordKey(
      "node.session.auth.password_in", { $0.authentication.targetSecret }, { $0.authentication.targetSecret = $1 },
      .secret,
      .secret),
    RecordKey(
      "node.session.auth.chap_algs", { $0.authentication.algorithms }, { $0.authentication.algorithms = $1 },
      .algorithms),
    RecordKey(
      "node.session.timeo.replacement_timeout", { $0.timeouts.replacement }, { $0.timeouts.replacement = $1 },
      .secondsOrForever),
    RecordKey("node.session.err_timeo.abort_timeout", { $0.timeouts.abort }, { $0.timeouts.abort = $1 }, .seconds),
    RecordKey(
      "node.session.err_timeo.lu_reset_timeout", { $0.timeouts.luReset }, { $0.timeouts.luReset = $1 }, .seconds),
    RecordKey(
      "node.session.err_timeo.tgt_reset_timeout", { $0.timeouts.targetReset }, { $0.timeouts.targetReset = $1 },
      .seconds),
    RecordKey(
      "node.session.err_timeo.host_reset_timeout", { $0.hostResetTimeout }, { $0.hostResetTimeout = $1 }, .seconds),
    RecordKey("node.session.iscsi.FastAbort", { $0.fastAbort }, { $0.fastAbort = $1 }, .yesNo),
    RecordKey(
      "node.session.iscsi.InitialR2T", { $0.operational.initialR2T }, { $0.operational.initialR2T = $1 }, .yesNo),
    RecordKey(
      "node.session.iscsi.ImmediateData", { $0.operational.immediateData }, { $0.operational.immediateData = $1 },
      .yesNo),
    RecordKey(
      "node.session.iscsi.FirstBurstLength", { $0.operational.firstBurstLength },
      { $0.operational.firstBurstLength = $1 },
      .number()),
    RecordKey(
      "node.session.iscsi.MaxBurstLength", { $0.operational.maxBurstLength }, { $0.operational.maxBurstLength = $1 },
      .number()),
    RecordKey(
      "node.session.iscsi.DefaultTime2Retain", { $0.operational.defaultTime2Retain },
      { $0.operational.defaultTime2Retain = $1 }, .number()),
    RecordKey(
      "node.session.iscsi.DefaultTime2Wait", { $0.operational.defaultTime2Wait },
      { $0.operational.defaultTime2Wait = $1 },
      .number()),
    RecordKey("node.session.iscsi.MaxConnections", { $0.maxConnections }, { $0.maxConnections = $1 }, .number()),
    RecordKey(
      "node.session.iscsi.MaxOutstandingR2T", { $0.operational.maxOutstandingR2T },
      { $0.operational.maxOutstandingR2T = $1 }, .number()),
    RecordKey("node.session.iscsi.ERL", { $0.errorRecoveryLevel }, { $0.errorRecoveryLevel = $1 }, .number()),
    RecordKey("node.session.scan", { $0.scan }, { $0.scan = $1 }, .word),
    RecordKey("node.session.reopen_max", { $0.reopenLimit }, { $0.reopenLimit = $1 }, .number()),
    RecordKey(
      "node.session.sess_reopen_log_freq", { $0.reopenLogInterval }, { $0.reopenLogInterval = $1 }, .number(orNone: ""),
      formerly: ["node.session.conn_reopen_log_freq"], isLeftOutIfUnset: true),
  ]

  private static let connectionKeys: [RecordKey<NodeRecord>] = [
    RecordKey("node.conn[0].address", { $0.portal.host }, { $0.portal.host = $1 }, .host, .identity),
    RecordKey("node.conn[0].port", { $0.portal.port }, { $0.portal.port = $1 }, .number(1 ... .max), .identity),
    RecordKey("node.conn[0].startup", { $0.connectionStartup }, { $0.connectionStartup = $1 }, .word),
    RecordKey("node.conn[0].tcp.window_size", { $0.windowSize }, { $0.windowSize = $1 }, .number()),
    RecordKey("node.conn[0].tcp.type_of_service", { $0.typeOfService }, { $0.typeOfService = $1 }, .number()),
    RecordKey(
      "node.conn[0].tcp.congestion_control", { $0.congestionControl }, { $0.congestionControl = $1 }, .text(upTo: 15),
      isLeftOutIfUnset: true),
    RecordKey("node.conn[0].timeo.logout_timeout", { $0.logoutTimeout }, { $0.logoutTimeout = $1 }, .seconds),
    RecordKey("node.conn[0].timeo.login_timeout", { $0.timeouts.login }, { $0.timeouts.login = $1 }, .seconds),
    RecordKey(
      "node.conn[0].timeo.auth_timeout", { $0.authenticationTimeout }, { $0.authenticationTimeout = $1 }, .seconds),
    RecordKey(
      "node.conn[0].timeo.noop_out_interval", { $0.timeouts.noopInterval }, { $0.timeouts.noopInterval = $1 }, .seconds),
    RecordKey(
      "node.conn[0].timeo.noop_out_timeout", { $0.timeouts.noopTimeout }, { $0.timeouts.noopTimeout = $1 }, .seconds),
    RecordKey(
      "node.conn[0].iscsi.MaxXmitDataSegmentLength", { $0.operational.maxXmitDataSegmentLength },
      { $0.operational.maxXmitDataSegmentLength = $1 }, .number()),
    RecordKey(
      "node.conn[0].iscsi.MaxRecvDataSegmentLength", { $0.operational.maxRecvDataSegmentLength },
      { $0.operational.maxRecvDataSegmentLength = $1 }, .number()),
    RecordKey(
      "node.conn[0].iscsi.HeaderDigest", { $0.operational.headerDigest }, { $0.operational.headerDigest = $1 }, .digests
    ),
    RecordKey(
      "node.conn[0].iscsi.DataDigest", { $0.operational.dataDigest }, { $0.operational.dataDigest = $1 }, .digests),
    RecordKey("node.conn[0].iscsi.IFMarker", { $0.initiatorMarkers }, { $0.initiatorMarkers = $1 }, .yesNo),
    RecordKey("node.conn[0].iscsi.OFMarker", { $0.targetMarkers }, { $0.targetMarkers = $1 }, .yesNo),
    RecordKey("node.boot_lun", { $0.bootLUN }, { $0.bootLUN = $1 }, .text, isLeftOutIfUnset: true),
  ]

  /// A record as it stands in a text; what the text lacks is as where nothing is configured.
  ///
  /// - Throws: What makes the text no record of a node, or is no value of a key.
  public init(_ text: RecordText) throws(RecordError) {
    var errors: [RecordError] = []
    try self.init(text, passingOver: &errors)
    if let error = errors.first { throw error }
  }

  /// The same, but what is no value of a setting is as where nothing is configured.
  ///
  /// - Parameters:
  ///   - text: The text.
  ///   - errors: Is told what is passed over.
  /// - Throws: What makes the text no record of a node.
  init(_ text: RecordText, passingOver errors: inout [RecordError]) throws(RecordError) {
    let (name, address) = ("node.name", "node.conn[0].address")
    let settings = Self.keys.settings(in: text)
    guard let value = Self.keys.value(of: name, in: settings, of: text), !value.isEmpty else {
      throw .missing(key: name)
    }
    guard let target = try? TargetName(value) else {
      throw .badValue(key: name, expected: RecordValueFormat.targetName.values)
    }
    guard let value = Self.keys.value(of: address, in: settings, of: text), !value.isEmpty else {
      throw .missing(key: address)
    }
    guard let host = try? PortalHost(value) else {
      throw .badValue(key: address, expected: RecordValueFormat.host.values)
    }
    self.init(target: target, portal: Portal(host: host))
    let refused = Self.keys.read(settings, of: text, into: &self) { $0.name != name && $0.name != address }
    try Self.keys.pass(over: refused, &errors)
  }

  /// Changes a setting.
  ///
  /// - Parameters:
  ///   - key: Its name, as `node.startup`.
  ///   - value: The value as it stands in files. The replacement timeout takes no negative number but -1, though one that stands
  ///     in a file counts as that.
  /// - Throws: `unknownKey`, `identity`, or `badValue`; the record is as it was then.
  public mutating func set(_ key: String, to value: String) throws(RecordError) {
    if key == Timeout.replacement.details.recordKey, let seconds = Int32(value), seconds < -1 {
      throw .badValue(key: key, expected: RecordValueFormat<Duration?>.secondsOrForever.values)
    }
    try Self.keys.set(key, to: value, in: &self)
  }

  /// Whether a key is one of the version of IP that the interface does not have.
  public func lacks(_ key: String) -> Bool { interface.lacks(key) }

  /// The keys, but those of the version of IP that the interface does not have.
  public var shownLayout: RecordLayout<NodeRecord> { interface.isForIPv6 ? Self.shownForIPv6 : Self.shownForIPv4 }
  /// The same keys, with the interface's two addresses before its others, among which listings have them.
  public var storedLayout: RecordLayout<NodeRecord> { interface.isForIPv6 ? Self.storedForIPv6 : Self.storedForIPv4 }

  /// The lines of `shownLayout`.
  public func listing(hidesSecrets: Bool) -> [UInt8] { shownLayout.octets(of: self, hidesSecrets: hidesSecrets) }

  private static let shownForIPv4 = layout(without: InterfaceRecord.ipv6Names, isShown: true)
  private static let shownForIPv6 = layout(without: InterfaceRecord.ipv4Names, isShown: true)
  private static let storedForIPv4 = layout(without: InterfaceRecord.ipv6Names, isShown: false)
  private static let storedForIPv6 = layout(without: InterfaceRecord.ipv4Names, isShown: false)

  private static func layout(without hidden: Set<String>, isShown: Bool) -> RecordLayout<NodeRecord> {
    var keys = keys.all.filter { !hidden.contains($0.name) }
    if !isShown {
      for name in ["iface.hwaddress", "iface.ipaddress"] {
        guard let place = keys.firstIndex(where: { $0.name == "iface.iscsi_ifacename" }),
          let address = keys.firstIndex(where: { $0.name == name })
        else { continue }
        keys.insert(keys.remove(at: address), at: place)
      }
    }
    return RecordLayout(keys, showsUnset: isShown, standard: Self.keys.standardRecord)
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
