// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
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
    #expect(report.units.map(\.lun.linuxNumber) == [0, 1, 2])
    #expect(report.units.map { $0.readTime != nil } == [false, true, false])
    #expect(report.units.allSatisfy { $0.error == nil })
    #expect(report.units[1].description?.state == "ready")
    #expect(report.units[2].description?.state.hasPrefix("not ready") == true)
    let output = try report.output(ReportOptions.parse([]), for: .plain)
    #expect(output.status == .success)
    let words = output.text.split(separator: "\n")[3].split(separator: " ").prefix(6)
    #expect(words == ["1", "disk", "16.0", "MiB", "512", "IET"])
  }

  @Test("A unit that was asked for by its number and does not exist ends with 21; in a list it is no error")
  func missingUnit() throws {
    let all = try Samples.probe()
    var empty = all
    empty.units = all.units.filter { $0.description?.isConnected == false }
    var refused = all
    refused.units = all.units.filter { $0.error != nil }
    refused.units[0].error = UserspaceError("INQUIRY", .sense(SCSISense(key: 5, code: 0x25, qualifier: 0)))
    for var report in [empty, refused] {
      report.isOfOneUnit = true
      let output = try report.output(ReportOptions.parse([]), for: .plain)
      #expect(output.status == .noObjectsFound)
      #expect(output.diagnostics.contains("has no unit"))
    }
    #expect(try empty.output(ReportOptions.parse([]), for: .plain).status == .success)
  }

  @Test("A target that cannot be reached is an error that names it")
  func unreachable() async throws {
    let url = try TargetURL("iscsi://127.0.0.1:1/iqn.2026-01.org.example:disks")
    let error = await #expect(throws: ProbeFailure.self) {
      try await ProbeCommand.probe(
        url, authentication: .none, initiator: InitiatorName("iqn.2026-01.org.example:host"),
        until: .now + .seconds(20))
    }
    let failure = try #require(error)
    #expect(failure.exitStatus == .transport)
    #expect(FailureSubject(failure) == FailureSubject(target: url.target.description, portal: url.portal))
  }
}
