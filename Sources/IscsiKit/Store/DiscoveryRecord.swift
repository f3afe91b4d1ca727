// SPDX-License-Identifier: Apache-2.0

/// A record of a discovery: whom to ask for targets, and how (`send_targets/ADDRESS,PORT/st_config` and
/// `isns/ADDRESS,PORT/isns_config`).
public struct DiscoveryRecord: KeyedRecord {
  /// How targets are found, by the words of these records; those of nodes are others.
  public enum Kind: String, Hashable, Sendable, CaseIterable {
    /// By SendTargets (RFC 7143, appendix C).
    case sendTargets = "sendtargets"
    /// From an iSNS server (RFC 4171).
    case isns
  }

  /// What `discovery.startup` may be; nothing goes by it.
  public enum Startup: String, Hashable, Sendable, CaseIterable {
    /// When somebody asks.
    case manual
    /// When the machine starts.
    case automatic
  }

  /// `discovery.startup`.
  public var startup = Startup.manual
  /// `discovery.type`.
  public var kind: Kind
  /// `discovery.sendtargets.address`, also of an iSNS server.
  public var host: PortalHost
  /// `discovery.sendtargets.port` likewise.
  public var port: UInt16
  /// `discovery.sendtargets.auth.*`.
  public var authentication = RecordAuthentication()
  /// `discovery.sendtargets.timeo.login_timeout`.
  public var loginTimeout = Duration.seconds(15)
  /// `discovery.*.use_discoveryd`: whether the daemon asks again and again.
  public var isRepeated = false
  /// `discovery.*.discoveryd_poll_inval`: seconds between two of the daemon's questions; below 1 it asks once.
  public var pollInterval: Int32
  /// `discovery.sendtargets.reopen_max`: how many attempts follow one that had no connection.
  public var reopenLimit: UInt32 = 5
  /// `discovery.sendtargets.timeo.auth_timeout`, which is kept and not used.
  public var authenticationTimeout = Duration.seconds(45)
  /// `discovery.sendtargets.timeo.active_timeout`: how long an answer may take.
  public var activeTimeout = Duration.seconds(30)
  /// `discovery.sendtargets.iscsi.MaxRecvDataSegmentLength` that we declare, in octets.
  public var maxRecvDataSegmentLength: UInt32 = 32_768

  /// A record with what holds where nothing is configured.
  public init(_ kind: Kind, at host: PortalHost, port: UInt16) {
    self.kind = kind
    self.host = host
    self.port = port
    pollInterval = kind == .isns ? -1 : 30
  }

  /// Whom the record says to ask.
  public var portal: Portal { Portal(host: host, port: port) }

  /// The keys of a kind of discovery.
  public static func keys(of kind: Kind) -> RecordKeys<DiscoveryRecord> {
    switch kind {
    case .sendTargets: sendTargetsKeys
    case .isns: isnsKeys
    }
  }

  private static let identityKeys: [RecordKey<DiscoveryRecord>] = [
    RecordKey("discovery.startup", \.startup, .word),
    RecordKey("discovery.type", \.kind, .word, .identity),
    RecordKey("discovery.sendtargets.address", \.host, .host, .identity),
    RecordKey("discovery.sendtargets.port", \.port, .number(1 ... .max), .identity),
  ]

  private static let sendTargetsKeys = RecordKeys<DiscoveryRecord>(
    identityKeys + [
      RecordKey("discovery.sendtargets.auth.authmethod", \.authentication.method, .word),
      RecordKey("discovery.sendtargets.auth.username", \.authentication.name, .text),
      RecordKey("discovery.sendtargets.auth.password", \.authentication.secret, .secret, .secret),
      RecordKey("discovery.sendtargets.auth.username_in", \.authentication.targetName, .text),
      RecordKey("discovery.sendtargets.auth.password_in", \.authentication.targetSecret, .secret, .secret),
      // open-iscsi has this key of nodes in the records of discoveries.
      RecordKey(
        "node.session.auth.chap_algs", \.authentication.algorithms, .algorithms,
        formerly: ["discovery.sendtargets.auth.chap_algs"]),
      RecordKey("discovery.sendtargets.timeo.login_timeout", \.loginTimeout, .seconds),
      RecordKey("discovery.sendtargets.use_discoveryd", \.isRepeated, .yesNo),
      RecordKey("discovery.sendtargets.discoveryd_poll_inval", \.pollInterval, .number()),
      RecordKey("discovery.sendtargets.reopen_max", \.reopenLimit, .number()),
      RecordKey("discovery.sendtargets.timeo.auth_timeout", \.authenticationTimeout, .seconds),
      RecordKey("discovery.sendtargets.timeo.active_timeout", \.activeTimeout, .seconds),
      RecordKey("discovery.sendtargets.iscsi.MaxRecvDataSegmentLength", \.maxRecvDataSegmentLength, .number()),
    ])

  private static let isnsKeys = RecordKeys<DiscoveryRecord>(
    identityKeys + [
      RecordKey("discovery.isns.use_discoveryd", \.isRepeated, .yesNo),
      RecordKey("discovery.isns.discoveryd_poll_inval", \.pollInterval, .number()),
    ])

  /// A record as it stands in a text; what the text lacks is as where nothing is configured.
  ///
  /// - Throws: What makes the text no record of a discovery.
  public init(_ text: RecordText, _ kind: Kind) throws(RecordError) {
    let (address, port) = ("discovery.sendtargets.address", "discovery.sendtargets.port")
    guard let value = text[address], !value.isEmpty else { throw .missing(key: address) }
    guard let host = try? PortalHost(value) else {
      throw .badValue(key: address, expected: RecordValueFormat.host.values)
    }
    guard text[port] != nil else { throw .missing(key: port) }
    self.init(kind, at: host, port: 1)
    if let error = Self.keys(of: kind).read(text, into: &self).first { throw error }
  }

  /// Changes a setting.
  ///
  /// - Parameters:
  ///   - key: Its name, as `discovery.sendtargets.reopen_max`.
  ///   - value: The value as it stands in files.
  /// - Throws: `unknownKey`, `identity`, or `badValue`; the record is as it was then.
  public mutating func set(_ key: String, to value: String) throws(RecordError) {
    try Self.keys(of: kind).set(key, to: value, in: &self)
  }

  /// The keys of its kind.
  public var shownKeys: [RecordKey<DiscoveryRecord>] { Self.keys(of: kind).all }
}
