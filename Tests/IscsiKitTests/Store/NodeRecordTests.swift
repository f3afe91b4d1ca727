// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import IscsiKit

@Suite("Records of nodes and interfaces")
struct NodeRecordTests {
  /// A file as open-iscsi 2.1.8 writes it.
  private static let file = """
    # BEGIN RECORD 2.1.8
    node.name = iqn.2026-11.org.example:static
    node.tpgt = 5
    node.startup = manual
    node.leading_login = No
    iface.iscsi_ifacename = default
    iface.prefix_len = 0
    iface.transport_name = tcp
    iface.vlan_id = 0
    iface.vlan_priority = 0
    iface.iface_num = 0
    iface.mtu = 0
    iface.port = 0
    iface.tos = 0
    iface.ttl = 0
    iface.tcp_wsf = 0
    iface.tcp_timer_scale = 0
    iface.def_task_mgmt_timeout = 0
    iface.erl = 0
    iface.max_receive_data_len = 0
    iface.first_burst_len = 0
    iface.max_outstanding_r2t = 0
    iface.max_burst_len = 0
    node.discovery_port = 0
    node.discovery_type = static
    node.session.initial_cmdsn = 0
    node.session.initial_login_retry_max = 1
    node.session.xmit_thread_priority = -20
    node.session.cmds_max = 128
    node.session.queue_depth = 32
    node.session.nr_sessions = 1
    node.session.auth.authmethod = CHAP
    node.session.auth.username = me
    node.session.auth.password = secretsecret
    node.session.auth.chap_algs = SHA256,MD5
    node.session.timeo.replacement_timeout = -1
    node.session.err_timeo.abort_timeout = 15
    node.session.err_timeo.lu_reset_timeout = 30
    node.session.err_timeo.tgt_reset_timeout = 30
    node.session.err_timeo.host_reset_timeout = 60
    node.session.iscsi.FastAbort = Yes
    node.session.iscsi.InitialR2T = No
    node.session.iscsi.ImmediateData = Yes
    node.session.iscsi.FirstBurstLength = 262144
    node.session.iscsi.MaxBurstLength = 16776192
    node.session.iscsi.DefaultTime2Retain = 0
    node.session.iscsi.DefaultTime2Wait = 2
    node.session.iscsi.MaxConnections = 1
    node.session.iscsi.MaxOutstandingR2T = 1
    node.session.iscsi.ERL = 0
    node.session.scan = auto
    node.session.reopen_max = 0
    node.conn[0].address = 10.0.0.7
    node.conn[0].port = 3261
    node.conn[0].startup = manual
    node.conn[0].tcp.window_size = 524288
    node.conn[0].tcp.type_of_service = 0
    node.conn[0].timeo.logout_timeout = 15
    node.conn[0].timeo.login_timeout = 5
    node.conn[0].timeo.auth_timeout = 45
    node.conn[0].timeo.noop_out_interval = 5
    node.conn[0].timeo.noop_out_timeout = 5
    node.conn[0].iscsi.MaxXmitDataSegmentLength = 0
    node.conn[0].iscsi.MaxRecvDataSegmentLength = 262144
    node.conn[0].iscsi.HeaderDigest = CRC32C,None
    node.conn[0].iscsi.DataDigest = None
    node.conn[0].iscsi.IFMarker = No
    node.conn[0].iscsi.OFMarker = No
    # END RECORD

    """

  private func text(_ file: String) -> RecordText { RecordText(Array(file.utf8)) }

  private func written(_ record: NodeRecord, over old: RecordText = RecordText()) -> String {
    String(
      decoding: old.rewritten(record.entries) { NodeRecord.keys[$0] != nil }, as: UTF8.self)
  }

  @Test("A file of open-iscsi is read, every key of it, and written as it was")
  func roundTrip() throws {
    let old = text(Self.file)
    let record = try NodeRecord(old)
    #expect(written(record, over: old) == Self.file)
    #expect(written(record) == Self.file)
    #expect(record.target.description == "iqn.2026-11.org.example:static")
    #expect(record.portal.description == "10.0.0.7:3261,5")
    #expect(record.authentication.method == .chap && record.authentication.name == "me")
    #expect(record.authentication.secret == Secret("secretsecret") && record.authentication.targetSecret == nil)
    #expect(record.authentication.algorithms == [.sha256, .md5])
    #expect(record.timeouts.replacement == nil && record.timeouts.login == .seconds(5))
    #expect(record.operational.headerDigest == [.crc32c, .none])
    #expect(record.initialLoginRetryLimit == 1)
  }

  @Test("What a new record has is what holds where nothing is configured")
  func defaults() throws {
    var record = NodeRecord(
      target: try TargetName("iqn.2026-11.org.example:static"), portal: try Portal("10.0.0.7:3261,5"))
    for (key, value) in [
      ("node.session.initial_login_retry_max", "1"), ("node.session.auth.authmethod", "CHAP"),
      ("node.session.auth.username", "me"), ("node.session.auth.password", "secretsecret"),
      ("node.session.auth.chap_algs", "SHA256,MD5"), ("node.session.timeo.replacement_timeout", "-1"),
      ("node.conn[0].timeo.login_timeout", "5"), ("node.conn[0].iscsi.HeaderDigest", "CRC32C,None"),
    ] {
      try record.set(key, to: value)
    }
    #expect(written(record) == Self.file)
  }

  @Test("Every key is written as it is read, in the order of the keys")
  func everyKey() throws {
    let record = try NodeRecord(text(Self.file))
    for key in NodeRecord.keys.all where key.role != .identity {
      let value = key.text(of: record)
      var changed = record
      if !value.isEmpty { try changed.set(key.name, to: value) }
      #expect(changed == record, "\(key.name)")
      #expect(!key.values.isEmpty)
    }
    let names = NodeRecord.keys.all.map(\.name)
    #expect(Set(names).count == names.count)
  }

  @Test(
    "What is no value of a key is refused, and changes nothing",
    arguments: [
      ("node.startup", "Manual"), ("node.leading_login", "yes"), ("node.session.cmds_max", "abc"),
      ("node.session.cmds_max", "-1"), ("node.session.cmds_max", "65536"), ("node.session.cmds_max", "+1"),
      ("node.session.cmds_max", ""), ("node.session.nr_sessions", "0"),
      ("node.session.timeo.replacement_timeout", "1s"),
      ("node.session.timeo.replacement_timeout", "9999999999"), ("node.session.timeo.replacement_timeout", "-7"),
      ("node.session.timeo.replacement_timeout", ""), ("node.session.err_timeo.abort_timeout", "-1"),
      ("node.session.auth.chap_algs", "SHA512"),
      ("node.conn[0].iscsi.HeaderDigest", "crc32c"), ("node.conn[0].iscsi.HeaderDigest", "CRC32C, None"),
      ("node.session.auth.username", "a\nb = c"), ("node.session.auth.username", "a\0"),
      ("node.session.auth.username", String(repeating: "x", count: 256)),
      ("node.session.auth.password", String(repeating: "x", count: 256)), ("iface.mtu", "65536"),
      ("iface.transport_name", String(repeating: "x", count: 17)),
    ])
  func badValues(key: String, value: String) throws {
    let before = try NodeRecord(text(Self.file))
    var record = before
    let error = #expect(throws: RecordError.self) { try record.set(key, to: value) }
    guard case .badValue(key, _)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(record == before)
    #expect(error?.exitStatus == .invalidArgument)
  }

  @Test("A negative replacement timeout that stands in a file is for ever", arguments: ["-1", "-7", "-2147483648"])
  func negativeTimeout(value: String) throws {
    let line = "node.session.timeo.replacement_timeout = "
    let file = Self.file.split(separator: "\n").map { $0.hasPrefix(line) ? line + value : String($0) }
    #expect(file.contains(line + value))
    #expect(try NodeRecord(text(file.joined(separator: "\n"))).timeouts.replacement == nil)
  }

  @Test("An error never shows the value, which may be a secret")
  func secretErrors() throws {
    var record = try NodeRecord(text(Self.file))
    let secret = "secret\u{1}" + String(repeating: "s", count: 300)
    let error = #expect(throws: RecordError.self) { try record.set("node.session.auth.password", to: secret) }
    #expect(error.map { !"\($0)".contains("secrets") && !"\($0)".contains("sss") } == true)
    #expect(NodeRecord.keys.all.filter { $0.role == .secret }.count == 2)
  }

  @Test(
    "What says which record it is cannot be changed, and what is no key is told",
    arguments: [
      "node.name", "node.tpgt", "node.conn[0].address", "node.conn[0].port", "node.discovery_address",
      "node.discovery_port", "node.discovery_type", "iface.iscsi_ifacename",
    ])
  func identity(key: String) throws {
    var record = try NodeRecord(text(Self.file))
    #expect(throws: RecordError.identity(key)) { try record.set(key, to: "1") }
    #expect(throws: RecordError.unknownKey(key + "x")) { try record.set(key + "x", to: "1") }
  }

  @Test("Former names are understood, and the present ones written")
  func formerNames() throws {
    var record = try NodeRecord(text(Self.file))
    try record.set("node.transport_name", to: "iser")
    try record.set("node.session.conn_reopen_log_freq", to: "3")
    #expect(record.interface.transport == "iser" && record.reopenLogInterval == 3)
    let names = record.entries.map(\.key)
    #expect(names.contains("iface.transport_name") && names.contains("node.session.sess_reopen_log_freq"))
    let old = text("node.transport_name = tcp\n" + Self.file)
    #expect(!written(try NodeRecord(old), over: old).contains("node.transport_name"))
  }

  @Test("A text without target or address, or with a bad one, is no record")
  func noRecord() {
    let name = "node.name = iqn.2026-11.org.example:static\n"
    #expect(throws: RecordError.missing(key: "node.name")) { try NodeRecord(RecordText()) }
    #expect(throws: RecordError.missing(key: "node.conn[0].address")) { try NodeRecord(text(name)) }
    for bad in [
      "node.name = ../../etc\nnode.conn[0].address = 1.2.3.4\n", name + "node.conn[0].address = a/b\n",
      name + "node.conn[0].address = 1.2.3.4\nnode.conn[0].port = 0\n",
      name + "node.conn[0].address = 1.2.3.4\nnode.tpgt = 65536\n",
      name + "node.conn[0].address = 1.2.3.4\nnode.startup = never\n",
    ] {
      #expect(throws: RecordError.self) { try NodeRecord(text(bad)) }
    }
  }

  @Test("A record without a tag, and one that lacks most keys")
  func least() throws {
    let record = try NodeRecord(
      text("node.name = iqn.2026-11.org.example:a\nnode.tpgt = -1\nnode.conn[0].address = fe80::1\n"))
    #expect(record.portal.tag == nil && record.portal.address == "[fe80::1]:3260")
    #expect(record.timeouts.login == .seconds(30) && record.startup == .manual)
    #expect(record.entries.contains { $0 == ("node.tpgt", "-1") })
    #expect(record.entries.contains { $0 == ("node.conn[0].address", "fe80::1") })
  }

  @Test("An interface has the keys of its version of IP, and what only cards go by is kept")
  func interfaces() throws {
    let file = """
      iface.iscsi_ifacename = six-ipv6
      iface.transport_name = tcp
      iface.ipaddress = fe80::1
      iface.initiatorname = iqn.2000-01.com.example:x
      iface.vlan_state = enable
      iface.hop_limit = 64
      iface.ttl = 5

      """
    let record = try InterfaceRecord(text(file))
    #expect(record.name.description == "six-ipv6" && record.transport == "tcp" && record.address == "fe80::1")
    #expect(
      record.entries.map { "\($0.key) = \($0.value)" } == [
        "iface.iscsi_ifacename = six-ipv6", "iface.ipaddress = fe80::1", "iface.prefix_len = 0",
        "iface.transport_name = tcp", "iface.initiatorname = iqn.2000-01.com.example:x", "iface.vlan_id = 0",
        "iface.vlan_priority = 0", "iface.vlan_state = enable", "iface.iface_num = 0", "iface.mtu = 0",
        "iface.port = 0", "iface.dup_addr_detect_cnt = 0", "iface.flow_label = 0", "iface.hop_limit = 64",
        "iface.nd_reachable_tmo = 0", "iface.nd_rexmit_time = 0", "iface.nd_stale_tmo = 0",
        "iface.router_adv_link_mtu = 0", "iface.traffic_class = 0", "iface.tcp_wsf = 0", "iface.tcp_timer_scale = 0",
        "iface.def_task_mgmt_timeout = 0", "iface.erl = 0", "iface.max_receive_data_len = 0",
        "iface.first_burst_len = 0", "iface.max_outstanding_r2t = 0", "iface.max_burst_len = 0",
      ])
    #expect(throws: RecordError.missing(key: "iface.iscsi_ifacename")) { try InterfaceRecord(RecordText()) }
    #expect(InterfaceRecord.standard.entries.contains { $0 == ("iface.tos", "0") })
  }

  @Test("Of an interface only what sessions go by must be right", arguments: [true, false])
  func badInterfaces(isForCardsOnly: Bool) throws {
    let long = String(repeating: "x", count: 256)
    let line = isForCardsOnly ? "iface.mtu = 65536" : "iface.net_ifacename = \(long)"
    let file = "iface.iscsi_ifacename = a\niface.transport_name = tcp\niface.hwaddress = 00:11:22:33:44:55\n\(line)\n"
    var errors: [RecordError] = []
    if isForCardsOnly {
      let record = try InterfaceRecord(text(file), passingOver: &errors)
      #expect(record.hardwareAddress == "00:11:22:33:44:55" && errors.count == 1)
    } else {
      #expect(throws: RecordError.self) { try InterfaceRecord(text(file), passingOver: &errors) }
    }
    #expect(throws: RecordError.self) { try InterfaceRecord(text(file)) }
  }

  @Test("Files of nodes have the addresses before the interface's other keys, those of interfaces among them")
  func orderOfFiles() throws {
    var interface = InterfaceRecord(name: .standard)
    interface.hardwareAddress = "00:11:22:33:44:55"
    #expect(interface.entries.prefix(3).map(\.key) == ["iface.iscsi_ifacename", "iface.prefix_len", "iface.hwaddress"])
    #expect(interface.shownKeys.prefix(5).last?.name == "iface.hwaddress")
    var node = NodeRecord(target: try TargetName("iqn.2026-11.org.example:a"), portal: try Portal("10.0.0.1:3260,1"))
    node.interface = interface
    let keys = node.entries.map(\.key)
    let place = try #require(keys.firstIndex(of: "iface.hwaddress"))
    #expect(keys[place + 1] == "iface.iscsi_ifacename")
    for address in ["10.0.0.2", "fd00::2"] {
      node.interface.address = address
      let keys = node.entries.map(\.key)
      #expect(
        keys[place..<place + 3] == ["iface.hwaddress", "iface.ipaddress", "iface.iscsi_ifacename"]
          && !keys[(place + 3)...].contains("iface.ipaddress"))
      #expect(node.shownKeys.map(\.name).firstIndex(of: "iface.ipaddress").map { $0 > place } == true)
    }
  }
}
