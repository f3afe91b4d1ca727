// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import IscsiKit

@Suite("Records of discoveries, and the configuration of new records")
struct DiscoveryRecordTests {
  /// A file as open-iscsi 2.1.8 writes it.
  private static let file = """
    # BEGIN RECORD 2.1.8
    discovery.startup = manual
    discovery.type = sendtargets
    discovery.sendtargets.address = 10.0.0.9
    discovery.sendtargets.port = 3260
    discovery.sendtargets.auth.authmethod = None
    node.session.auth.chap_algs = MD5
    discovery.sendtargets.timeo.login_timeout = 15
    discovery.sendtargets.use_discoveryd = No
    discovery.sendtargets.discoveryd_poll_inval = 30
    discovery.sendtargets.reopen_max = 5
    discovery.sendtargets.timeo.auth_timeout = 45
    discovery.sendtargets.timeo.active_timeout = 30
    discovery.sendtargets.iscsi.MaxRecvDataSegmentLength = 32768
    # END RECORD

    """

  private func text(_ lines: String) -> RecordText { RecordText(Array(lines.utf8)) }

  private func written(_ record: DiscoveryRecord) -> String {
    let keys = DiscoveryRecord.keys(of: record.kind)
    return String(decoding: RecordText().rewritten(record.entries) { keys[$0] != nil }, as: UTF8.self)
  }

  @Test("A file of open-iscsi is read and written as it was, and is what holds where nothing is configured")
  func roundTrip() throws {
    let record = try DiscoveryRecord(text(Self.file), .sendTargets)
    #expect(written(record) == Self.file)
    #expect(record == DiscoveryRecord(.sendTargets, at: try PortalHost("10.0.0.9"), port: 3260))
  }

  @Test("A record of an iSNS server has open-iscsi's keys for the address")
  func isns() throws {
    let record = DiscoveryRecord(.isns, at: try PortalHost("10.0.0.9"), port: 3205)
    #expect(
      written(record) == """
        # BEGIN RECORD 2.1.8
        discovery.startup = manual
        discovery.type = isns
        discovery.sendtargets.address = 10.0.0.9
        discovery.sendtargets.port = 3205
        discovery.isns.use_discoveryd = No
        discovery.isns.discoveryd_poll_inval = -1
        # END RECORD

        """)
  }

  @Test("Settings are changed by their keys, and what says which discovery it is cannot be")
  func changes() throws {
    var record = DiscoveryRecord(.sendTargets, at: try PortalHost("10.0.0.9"), port: 3260)
    try record.set("discovery.sendtargets.auth.authmethod", to: "CHAP")
    try record.set("discovery.sendtargets.auth.password", to: "secretsecret")
    try record.set("discovery.sendtargets.auth.chap_algs", to: "SHA256")
    #expect(record.authentication.method == .chap && record.authentication.algorithms == [.sha256])
    #expect(throws: RecordError.identity("discovery.sendtargets.port")) {
      try record.set("discovery.sendtargets.port", to: "1")
    }
    #expect(throws: RecordError.unknownKey("node.startup")) { try record.set("node.startup", to: "manual") }
    #expect(!"\(record)".contains("secretsecret"))
  }

  @Test("A text without address or port is no record", arguments: ["address", "port"])
  func incomplete(_ key: String) {
    let lines = Self.file.split(separator: "\n").filter { !$0.contains("sendtargets.\(key) ") }
    #expect(throws: RecordError.missing(key: "discovery.sendtargets.\(key)")) {
      try DiscoveryRecord(text(lines.joined(separator: "\n") + "\n"), .sendTargets)
    }
  }

  @Test("A setting that is none is told and does not lose the record; a secret that is none does")
  func badSettings() throws {
    let key = "discovery.sendtargets.reopen_max", password = "discovery.sendtargets.auth.password"
    var errors: [RecordError] = []
    let record = try DiscoveryRecord(text(Self.file + "\(key) = many\n"), .sendTargets, passingOver: &errors)
    let usual = DiscoveryRecord(.sendTargets, at: record.host, port: record.port)
    #expect(record.reopenLimit == usual.reopenLimit)
    #expect(errors == [.badValue(key: key, expected: DiscoveryRecord.keys(of: .sendTargets)[key]?.values ?? "")])
    let long = String(repeating: "x", count: 256)
    #expect(throws: RecordError.self) {
      try DiscoveryRecord(text(Self.file + "\(password) = \(long)\n"), .sendTargets, passingOver: &errors)
    }
  }

  @Test("New records have what is configured, and nothing that says which record it is")
  func configuration() throws {
    let configuration = InitiatorConfiguration(
      text(
        """
        # a comment
        node.name = iqn.2026-11.org.example:never
        node.startup = automatic
        node.session.auth.password = secretsecret
        node.conn[0].timeo.login_timeout = 15
        iface.net_ifacename = eth7
        discovery.sendtargets.reopen_max = 2
        iscsid.startup = /bin/systemctl start iscsid.socket
        iscsid.safe_logout = No

        """))
    #expect(configuration.problems == [])
    let target = try TargetName("iqn.2026-11.org.example:disk")
    let record = configuration.node(target, at: try Portal("10.0.0.1:3260,1"))
    #expect(record.target == target && record.startup == .automatic && record.timeouts.login == .seconds(15))
    #expect(record.authentication.secret == Secret("secretsecret") && record.interface == .standard)
    #expect(configuration.discovery(.sendTargets, at: try PortalHost("10.0.0.9"), port: 3260).reopenLimit == 2)
    #expect(!configuration.protectsUsedDisks && InitiatorConfiguration().protectsUsedDisks)
  }

  @Test("What is configured wrong is told, and is as if it did not stand there")
  func badConfiguration() throws {
    let configuration = InitiatorConfiguration(text("node.startup = sometimes\nnode.session.cmds_max\nfancy = 1\n"))
    #expect(
      configuration.problems == [
        "line 2: there is no value", "node.startup must be manual, automatic or onboot",
      ])
    #expect(
      configuration.node(try TargetName("iqn.2026-11.org.example:disk"), at: try Portal("10.0.0.1")).startup == .manual)
  }
}
