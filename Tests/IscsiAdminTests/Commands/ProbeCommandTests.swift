// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import IscsiKit
import IscsiKitTesting
import Testing

@testable import iscsi_admin

@Suite("The probe command")
struct ProbeCommandTests {
  @Test("Every unit of a target is in the report, one after the other", .enabled(if: TgtServer.isAvailable))
  func report() async throws {
    let server = try await TgtServer.start()
    let target = try TargetName("iqn.2026-01.org.example:disks")
    try await server.addTarget(target, units: [.init(1), .init(2, parameters: "online=0")])
    let report = try await ProbeCommand.probe(
      TargetURL(portal: server.portal, target: target), authentication: .none,
      initiator: InitiatorName("iqn.2026-01.org.example:host"), until: .now + .seconds(20))
    #expect(report.units.map(\.lun) == [0, 1, 2])
    #expect(report.units.map { $0.readMicroseconds != nil } == [false, true, false])
    #expect(report.units.allSatisfy { $0.error == nil })
    #expect(report.units[1].state == "ready")
    #expect(report.units[2].state?.hasPrefix("not ready") == true)
    #expect(report.rows.allSatisfy { $0.count == ProbeReport.columns.count })
    #expect(report.rows[1].prefix(4) == ["1", "disk", "16.0 MiB", "512"])
  }

  @Test("JSON has its version and kind, and leaves out what is not known")
  func json() throws {
    var report = ProbeReport(target: "iqn.2026-01.org.example:disks", portal: "10.0.0.1:3260")
    report.units = [ProbeReport.Unit(lun: LUN(rawValue: 1 << 48))]
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    #expect(
      String(decoding: try encoder.encode(report), as: UTF8.self)
        == #"{"kind":"probe","portal":"10.0.0.1:3260","target":"iqn.2026-01.org.example:disks","units":[{"lun":1}],"version":1}"#
    )
  }

  @Test(
    "Sizes are told in binary units, rounded down",
    arguments: [
      (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (67_108_864, "64.0 MiB"),
      ((1 << 40) - 1, "1023.9 GiB"), (1 << 42, "4.0 TiB"), (UInt64.max, "15.9 EiB"),
    ] as [(UInt64, String)])
  func sizes(octets: UInt64, text: String) {
    #expect(ProbeReport.binary(octets) == text)
  }
}
