// SPDX-License-Identifier: Apache-2.0

/// A record of an interface: what sessions over it are bound to, and as whom they log in (`ifaces/NAME`).
///
/// The kernel's own initiator goes by `transport`, the three bindings and the initiator's name. The rest is for network
/// cards that speak iSCSI themselves; it is kept as it is.
public struct InterfaceRecord: Hashable, Sendable {
  /// `iface.iscsi_ifacename`.
  public var name: InterfaceName
  /// `iface.transport_name`: which initiator of the kernel is meant; `tcp` is the one in software.
  public var transport = "tcp"
  /// `iface.net_ifacename`: the network device to connect through.
  public var networkDevice: String?
  /// `iface.hwaddress`: the MAC address of that device.
  public var hardwareAddress: String?
  /// `iface.ipaddress`: the address of a card. An interface of the initiator in software that has no other binding cannot be
  /// used with it.
  public var address: String?
  /// `iface.initiatorname`: our name in sessions over this interface, in place of the machine's.
  public var initiatorName: String?
  /// What only cards go by.
  public var card = CardSettings()

  /// An interface that is bound to nothing.
  public init(name: InterfaceName) { self.name = name }

  /// The interface that there always is, and that has no file: routing decides.
  public static let standard = InterfaceRecord(name: .standard)
  /// The interface of sessions over iSER, which has no file either.
  public static let iser: InterfaceRecord = {
    var record = InterfaceRecord(name: .iser)
    record.transport = "iser"
    return record
  }()
  /// The interfaces that there always are.
  public static let builtIn = [standard, iser]

  /// Settings of a network card, by the names of their keys: numbers, which are 0 unless set, and words.
  public struct CardSettings: Hashable, Sendable {
    private var numbers: [String: UInt32] = [:]
    private var words: [String: String] = [:]

    /// None.
    public init() {}

    /// A number.
    subscript(number name: String) -> UInt32 {
      get { numbers[name] ?? 0 }
      set { numbers[name] = newValue == 0 ? nil : newValue }
    }

    /// A word.
    subscript(word name: String) -> String? {
      get { words[name] }
      set { words[name] = newValue }
    }
  }

  /// Whether the keys of cards that only IPv6 has stand in the file, in place of those of IPv4: the address is no IPv4
  /// address and the card does not ask DHCP for one, or the name says so.
  var isForIPv6: Bool {
    if name != .standard, name.description.contains("ipv6") { return true }
    guard let address else { return false }
    return !address.contains(".") && card[word: "bootproto"] != "dhcp"
  }
}

extension InterfaceRecord: KeyedRecord {
  /// The keys.
  public static let keys = RecordKeys<InterfaceRecord>(
    [
      RecordKey("iface.iscsi_ifacename", { $0.name }, { $0.name = $1 }, .interfaceName, .identity),
      RecordKey("iface.net_ifacename", { $0.networkDevice }, { $0.networkDevice = $1 }, .text),
      RecordKey("iface.ipaddress", { $0.address }, { $0.address = $1 }, .text),
      number("prefix_len", upTo: 255),
      RecordKey("iface.hwaddress", { $0.hardwareAddress }, { $0.hardwareAddress = $1 }, .text),
      RecordKey(
        "iface.transport_name", { $0.requiredTransport }, { $0.requiredTransport = $1 }, .text(upTo: 16),
        formerly: ["node.transport_name"]),
      RecordKey("iface.initiatorname", { $0.initiatorName }, { $0.initiatorName = $1 }, .text),
      word("state"), number("vlan_id", upTo: 65_535), number("vlan_priority", upTo: 255), word("vlan_state"),
      number("iface_num", upTo: .max), number("mtu", upTo: 65_535), number("port", upTo: 65_535),
    ] + ipv4 + ipv6 + [
      word("delayed_ack"), word("tcp_nagle"), word("tcp_wsf_state"), number("tcp_wsf", upTo: 255),
      number("tcp_timer_scale", upTo: 255), word("tcp_timestamp"), word("redirect"),
      number("def_task_mgmt_timeout", upTo: 65_535), word("header_digest"), word("data_digest"), word("immediate_data"),
      word("initial_r2t"), word("data_seq_inorder"), word("data_pdu_inorder"), number("erl", upTo: 255),
      number("max_receive_data_len", upTo: .max), number("first_burst_len", upTo: .max),
      number("max_outstanding_r2t", upTo: 65_535), number("max_burst_len", upTo: .max), word("chap_auth"),
      word("bidi_chap"), word("strict_login_compliance"), word("discovery_auth"), word("discovery_logout"),
    ])

  private static let ipv4: [RecordKey<InterfaceRecord>] = [
    word("bootproto"), word("subnet_mask"), word("gateway"), word("dhcp_alt_client_id_state"),
    word("dhcp_alt_client_id"), word("dhcp_dns"), word("dhcp_learn_iqn"), word("dhcp_req_vendor_id_state"),
    word("dhcp_vendor_id_state"), word("dhcp_vendor_id"), word("dhcp_slp_da"), word("fragmentation"),
    word("gratuitous_arp"), word("incoming_forwarding"), word("tos_state"), number("tos", upTo: 255),
    number("ttl", upTo: 255),
  ]

  private static let ipv6: [RecordKey<InterfaceRecord>] = [
    word("ipv6_autocfg"), word("linklocal_autocfg"), word("router_autocfg"), word("ipv6_linklocal"),
    word("ipv6_router"), number("dup_addr_detect_cnt", upTo: 255), number("flow_label", upTo: .max),
    word("gratuitous_neighbor_adv"), number("hop_limit", upTo: 255), word("mld"),
    number("nd_reachable_tmo", upTo: .max), number("nd_rexmit_time", upTo: .max), number("nd_stale_tmo", upTo: .max),
    number("router_adv_link_mtu", upTo: .max), number("traffic_class", upTo: 255),
  ]

  /// The names of the keys that do not stand in the file of an interface for IPv6.
  static let ipv4Names = Set(ipv4.map(\.name))
  /// The names of the keys that stand in the file of an interface for IPv6 only.
  static let ipv6Names = Set(ipv6.map(\.name))

  private static func number(_ name: String, upTo limit: UInt32) -> RecordKey<InterfaceRecord> {
    RecordKey("iface." + name, { $0.card[number: name] }, { $0.card[number: name] = $1 }, .number(0...limit))
  }

  private static func word(_ name: String) -> RecordKey<InterfaceRecord> {
    RecordKey("iface." + name, { $0.card[word: name] }, { $0.card[word: name] = $1 }, .text)
  }

  /// The transport for the key, which does not take an empty one.
  private var requiredTransport: String? {
    get { transport }
    set { transport = newValue ?? transport }
  }

  /// A record as it stands in a text.
  ///
  /// - Throws: What makes the text no record of an interface.
  public init(_ text: RecordText) throws(RecordError) {
    var errors: [RecordError] = []
    try self.init(text, passingOver: &errors)
    if let error = errors.first { throw error }
  }

  /// The same, but what is no value of a setting that only cards go by is as where nothing is configured.
  ///
  /// - Parameters:
  ///   - text: The text.
  ///   - errors: Is told what is passed over.
  /// - Throws: What makes the text no record of an interface.
  init(_ text: RecordText, passingOver errors: inout [RecordError]) throws(RecordError) {
    let key = "iface.iscsi_ifacename"
    guard let value = text[key], !value.isEmpty else { throw .missing(key: key) }
    guard let name = InterfaceName(value) else {
      throw .badValue(key: key, expected: RecordValueFormat.interfaceName.values)
    }
    let transport = "iface.transport_name"
    guard text[transport] != nil else { throw .missing(key: transport) }
    self.init(name: name)
    try Self.keys.pass(over: Self.keys.read(text, into: &self), &errors) { Self.keysOfSessions.contains($0) }
  }

  /// The keys that sessions of the kernel's own initiator go by. Without the value of one a session would go another way.
  private static let keysOfSessions = [
    "iface.transport_name", "iface.net_ifacename", "iface.hwaddress", "iface.ipaddress", "iface.initiatorname",
  ]

  /// Whether a key is one of the other version of IP, which the record's file does not have.
  public func lacks(_ key: String) -> Bool { (isForIPv6 ? Self.ipv4Names : Self.ipv6Names).contains(key) }

  /// The keys, but those of the version of IP that it does not have.
  public var shownLayout: RecordLayout<InterfaceRecord> { isForIPv6 ? Self.shownForIPv6 : Self.shownForIPv4 }
  /// The same keys.
  public var storedLayout: RecordLayout<InterfaceRecord> { isForIPv6 ? Self.storedForIPv6 : Self.storedForIPv4 }

  /// The lines of `shownLayout`.
  public func listing(hidesSecrets: Bool) -> [UInt8] { shownLayout.octets(of: self, hidesSecrets: hidesSecrets) }

  private static let shownForIPv4 = layout(without: ipv6Names, isShown: true)
  private static let shownForIPv6 = layout(without: ipv4Names, isShown: true)
  private static let storedForIPv4 = layout(without: ipv6Names, isShown: false)
  private static let storedForIPv6 = layout(without: ipv4Names, isShown: false)

  private static func layout(without hidden: Set<String>, isShown: Bool) -> RecordLayout<InterfaceRecord> {
    RecordLayout(keys.all.filter { !hidden.contains($0.name) }, showsUnset: isShown, standard: nil)
  }

  /// Changes a setting.
  ///
  /// - Parameters:
  ///   - key: Its name, as `iface.net_ifacename`.
  ///   - value: The value as it stands in files.
  /// - Throws: `unknownKey`, `identity`, or `badValue`; the record is as it was then.
  public mutating func set(_ key: String, to value: String) throws(RecordError) {
    try Self.keys.set(key, to: value, in: &self)
  }
}

extension RecordValueFormat where Value == InterfaceName {
  fileprivate static var interfaceName: Self {
    Self(values: "a name of 1 to \(InterfaceName.maximumLength) octets without slashes") {
      InterfaceName($0)
    } print: {
      $0.description
    }
  }
}
