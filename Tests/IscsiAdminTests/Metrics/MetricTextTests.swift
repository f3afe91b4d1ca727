// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import iscsi_admin

@Suite("Text of metrics")
struct MetricTextTests {
  private static let sent = MetricDefinition(
    kind: .counter, base: "x_sent", unit: .bytes, help: "What \"it\" sent\\\nin all.", labels: ["a", "b"])
  private static let info = MetricDefinition(kind: .info, base: "x", unit: nil, help: "About x.", labels: ["a"])
  private static let level = MetricDefinition(kind: .gauge, base: "x_level", unit: .seconds, help: "Level.", labels: [])

  private static let families = [
    MetricFamily(
      definition: sent,
      samples: [
        MetricSample(labels: ["one", nil], value: .count(.max)),
        MetricSample(labels: ["a\\b\"c\nd\r\ne", "ü"], value: .count(0)),
      ]),
    MetricFamily(definition: info, samples: [MetricSample(labels: ["y"], value: .count(1))]),
    MetricFamily(definition: level, samples: [MetricSample(labels: [], value: .measure(0.25))]),
    MetricFamily(definition: sent, samples: []),
  ]

  @Test("OpenMetrics has type, unit and help of each family, and an end")
  func openMetrics() {
    #expect(
      MetricFormat.openMetrics.text(of: Self.families) == #"""
        # TYPE x_sent_bytes counter
        # UNIT x_sent_bytes bytes
        # HELP x_sent_bytes What \"it\" sent\\\nin all.
        x_sent_bytes_total{a="one"} 18446744073709551615
        x_sent_bytes_total{a="a\\b\"c\nd
        """# + "\r" + #"""
          \ne",b="ü"} 0
          # TYPE x info
          # HELP x About x.
          x_info{a="y"} 1
          # TYPE x_level_seconds gauge
          # UNIT x_level_seconds seconds
          # HELP x_level_seconds Level.
          x_level_seconds 0.25
          # EOF

          """#)
  }

  @Test("Prometheus' own form has only what its parser knows")
  func prometheus() {
    #expect(
      MetricFormat.prometheus.text(of: Array(Self.families.dropFirst())) == #"""
        # HELP x_info About x.
        # TYPE x_info gauge
        x_info{a="y"} 1
        # HELP x_level_seconds Level.
        # TYPE x_level_seconds gauge
        x_level_seconds 0.25

        """#)
    #expect(
      MetricFormat.prometheus.text(of: [Self.families[0]]).hasPrefix(
        "# HELP x_sent_bytes_total What \"it\" sent\\\\\\nin all.\n# TYPE x_sent_bytes_total counter\n"))
  }

  @Test(
    "A value is written as both forms have it",
    arguments: [
      (MetricValue.truth(true), "1"), (.truth(false), "0"), (.count(7), "7"), (.measure(120), "120"),
      (.measure(.infinity), "+Inf"), (.measure(-.infinity), "-Inf"), (.measure(.nan), "NaN"),
      (.measure(1_764_345_600.5), "1764345600.5"), (.measure(-0.125), "-0.125"), (.measure(1e300), "1e+300"),
    ])
  func values(value: MetricValue, text: String) {
    let family = MetricFamily(definition: Self.level, samples: [MetricSample(labels: [], value: value)])
    #expect(MetricFormat.prometheus.text(of: [family]).hasSuffix("\nx_level_seconds \(text)\n"))
  }

  @Test(
    "A client gets OpenMetrics if it asks for that",
    arguments: [
      ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", MetricFormat.openMetrics),
      ("text/plain", .prometheus), ("*/*", .prometheus), ("", .prometheus),
    ])
  func negotiation(accepted: String, format: MetricFormat) {
    #expect(MetricFormat(accepted: accepted) == format)
  }
}
