// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit
@testable import iscsi_admin

/// The program; nil if the environment does not name it.
private let promtool = ProcessInfo.processInfo.environment["PROMTOOL"]

/// What we print and ship, by Prometheus' own program: `make unit-test` takes it from Debian's package.
@Suite("Metrics and alerts, by promtool", .enabled(if: promtool != nil, "PROMTOOL is not set: make unit-test"))
struct PromtoolTests {
  private static let rules = Golden.root + "/contrib/prometheus/iscsi-admin.rules.yml"

  /// Runs promtool with a text at its standard input; what it has to say, if it is not content.
  private func complaint(_ arguments: String, input: String = "") throws -> String? {
    let file = try TemporaryFile(input)
    let told = try TemporaryFile("")
    let command = "exec '\(promtool ?? "")' \(arguments) <'\(file.path)' >'\(told.path)' 2>&1"
    let status = try TestProcess.run(["/bin/sh", "-c", command])
    return status == 0 ? nil : try Golden.contents(told.path.string)
  }

  @Test("The textfile collector's form is read without a complaint")
  func textFile() throws {
    let text = MetricFormat.prometheus.text(of: SessionMetrics.families(of: SessionMetricsTests.survey()))
    #expect(try complaint("check metrics", input: text) == nil)
    #expect(try complaint("check metrics", input: text + "x") != nil)
  }

  @Test("OpenMetrics is read by Prometheus' parser")
  func openMetrics() throws {
    let text = MetricFormat.openMetrics.text(of: SessionMetrics.families(of: SessionMetricsTests.survey()))
    // What imports into a database wants a time of each sample.
    let lines = text.split(separator: "\n").map { $0.hasPrefix("#") ? "\($0)\n" : "\($0) 1795000000\n" }.joined()
    let output = FilePath("/tmp/iscsikit-promtool-\(UInt64.random(in: 0...UInt64.max))")
    defer { try? FileManager.default.removeItem(atPath: output.string) }
    #expect(try complaint("tsdb create-blocks-from openmetrics /dev/stdin \(output)", input: lines) == nil)
    let broken = lines.replacing("# TYPE iscsi_session info", with: "# TYPE iscsi_session nonsense")
    #expect(try complaint("tsdb create-blocks-from openmetrics /dev/stdin \(output)", input: broken) != nil)
  }

  @Test("The alert rules are in order, and fire when they should")
  func alerts() throws {
    #expect(try complaint("check rules '\(Self.rules)'") == nil)
    #expect(try complaint("test rules '\(Golden.root)/contrib/prometheus/iscsi-admin.test.yml'") == nil)
  }
}
