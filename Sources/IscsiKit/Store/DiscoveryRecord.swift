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
  /// How the record and its folder spell the host's address, where that is not as we do.
  var spelling: String?
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

  /// The host as the record spells it: what has this in common is of one discovery to open-iscsi, which compares texts.
  public var address: String { spelling ?? host.description }

  /// The address for its key, which has been found to be one.
  private var storedAddress: String? {
    get { address }
    set {
      guard let newValue, let host = try? PortalHost(newValue) else { return }
      self.host = host
      spelling = newValue == host.description ? nil : newValue
    }
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
    RecordKey("discovery.startup", { $0.startup }, { $0.startup = $1 }, .word),
    RecordKey("discovery.type", { $0.kind }, { $0.kind = $1 }, .word, .identity),
    RecordKey("discovery.sendtargets.address", { $0.storedAddress }, { $0.storedAddress = $1 }, .text, .identity),
    RecordKey("discovery.sendtargets.port", { $0.port }, { $0.port = $1 }, .number(1 ... .max), .identity),
  ]

  private static let sendTargetsKeys = RecordKeys<DiscoveryRecord>(
    identityKeys + [
      RecordKey(
        "discovery.sendtargets.auth.authmethod", { $0.authentication.method }, { $0.authentication.method = $1 }, .word),
      RecordKey(
        "discovery.sendtargets.auth.username", { $0.authentication.name }, { $0.authentication.name = $1 }, .text),
      RecordKey(
        "discovery.sendtargets.auth.password", { $0.authentication.secret }, { $0.authentication.secret = $1 }, .secret,
        .secret),
      RecordKey(
        "discovery.sendtargets.auth.username_in", { $0.authentication.targetName },
        { $0.authentication.targetName = $1 },
        .text),
      RecordKey(
        "discovery.sendtargets.auth.password_in", { $0.authentication.targetSecret },
        { $0.authentication.targetSecret = $1 }, .secret, .secret),
      // open-iscsi has this key of nodes in the records of discoveries.
      RecordKey(
        "node.session.auth.chap_algs", { $0.authentication.algorithms }, { $0.authentication.algorithms = $1 },
        .algorithms,
        formerly: ["discovery.sendtargets.auth.chap_algs"]),
      RecordKey("discovery.sendtargets.timeo.login_timeout", { $0.loginTimeout }, { $0.loginTimeout = $1 }, .seconds),
      RecordKey("discovery.sendtargets.use_discoveryd", { $0.isRepeated }, { $0.isRepeated = $1 }, .yesNo),
      RecordKey(
        "discovery.sendtargets.discoveryd_poll_inval", { $0.pollInterval }, { $0.pollInterval = $1 }, .number()),
      RecordKey("discovery.sendtargets.reopen_max", { $0.reopenLimit }, { $0.reopenLimit = $1 }, .number()),
      RecordKey(
        "discovery.sendtargets.timeo.auth_timeout", { $0.authenticationTimeout }, { $0.authenticationTimeout = $1 },
        .seconds
      ),
      RecordKey(
        "discovery.sendtargets.timeo.active_timeout", { $0.activeTimeout }, { $0.activeTimeout = $1 }, .seconds),
      RecordKey(
        "discovery.sendtargets.iscsi.MaxRecvDataSegmentLength", { $0.maxRecvDataSegmentLength },
        { $0.maxRecvDataSegmentLength = $1 }, .number()),
    ])

  private static let isnsKeys = RecordKeys<DiscoveryRecord>(
    identityKeys + [
      RecordKey("discovery.isns.use_discoveryd", { $0.isRepeated }, { $0.isRepeated = $1 }, .yesNo),
      RecordKey("discovery.isns.discoveryd_poll_inval", { $0.pollInterval }, { $0.pollInterval = $1 }, .number()),
    ])

  /// A record as it stands in a text; what the text lacks is as where nothing is configured.
  ///
  /// - Throws: What makes the text no record of a discovery.
  public init(_ text: RecordText, _ kind: Kind) throws(RecordError) {
    var errors: [RecordError] = []
    try self.init(text, kind, passingOver: &errors)
    if let error = errors.first { throw error }
  }

  /// The same, but what is no value of a setting is as where nothing is configured, unless it is one of authentication.
  ///
  /// - Parameters:
  ///   - text: The text.
  ///   - kind: The kind of discovery.
  ///   - errors: Is told what is passed over.
  /// - Throws: What makes the text no record of a discovery.
  init(_ text: RecordText, _ kind: Kind, passingOver errors: inout [RecordError]) throws(RecordError) {
    let (address, port) = ("discovery.sendtargets.address", "discovery.sendtargets.port")
    guard let value = text[address], !value.isEmpty else { throw .missing(key: address) }
    guard let host = try? PortalHost(value) else {
      throw .badValue(key: address, expected: RecordValueFormat.host.values)
    }
    guard text[port] != nil else { throw .missing(key: port) }
    self.init(kind, at: host, port: 1)
    let keys = Self.keys(of: kind)
    // Without one of these a discovery would prove less than its user wants.
    try keys.pass(over: keys.read(text, into: &self), &errors) { $0.contains(".auth.") }
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
  public var shownLayout: RecordLayout<DiscoveryRecord> { kind == .isns ? Self.shownOfISNS : Self.shownOfSendTargets }
  /// The same keys.
  public var storedLayout: RecordLayout<DiscoveryRecord> {
    kind == .isns ? Self.storedOfISNS : Self.storedOfSendTargets
  }

  /// The lines of `shownLayout`.
  public func listing(hidesSecrets: Bool) -> [UInt8] { shownLayout.octets(of: self, hidesSecrets: hidesSecrets) }

  private static let shownOfSendTargets = RecordLayout(sendTargetsKeys.all, showsUnset: true, standard: nil)
  private static let shownOfISNS = RecordLayout(isnsKeys.all, showsUnset: true, standard: nil)
  private static let storedOfSendTargets = RecordLayout(sendTargetsKeys.all, showsUnset: false, standard: nil)
  private static let storedOfISNS = RecordLayout(isnsKeys.all, showsUnset: false, standard: nil)
}
