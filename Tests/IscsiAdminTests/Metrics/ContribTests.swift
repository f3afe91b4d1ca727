// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import Testing

@testable import IscsiKit
@testable import iscsi_admin

@Suite("Alert rules and the dashboard")
struct ContribTests {
  private static let known = Set(SessionMetrics.all.map(\.sampleName))
  private static let states = Set(RecoveryState.names + IOState.names + KernelDeviceState.allCases.map(\.rawValue))

  /// The metrics that a query names.
  private func metrics(in query: String) -> [String] {
    query.split { !($0.isLetter || $0.isNumber || $0 == "_") }.map(String.init).filter { $0.hasPrefix("iscsi_") }
  }

  /// The states that the selectors of a query name: `state="a"`, `io=~"a|b"`, `state!="a"`.
  private func states(in query: String) -> [String] {
    ["state", "io"].flatMap { label in
      query.split(separator: "\(label)").dropFirst().flatMap { rest -> [String] in
        let tail = rest.drop { "=~!".contains($0) }
        guard tail.count < rest.count, tail.first == "\"" else { return [] }
        return tail.dropFirst().prefix { $0 != "\"" }.split(separator: "|").map(String.init)
      }
    }
  }

  /// The dashboard as far as its queries matter.
  private struct Dashboard: Decodable {
    struct Panel: Decodable {
      let id: Int
      let title: String
      let targets: [Target]
    }
    struct Target: Decodable { let expr: String }
    struct Variables: Decodable { let list: [Variable] }
    struct Variable: Decodable { let name: String, query: String }
    let panels: [Panel]
    let templating: Variables
  }

  @Test("The dashboard's queries use metrics and states that exist")
  func dashboard() throws {
    let text = try Golden.contents(Golden.root + "/contrib/grafana/iscsi-admin.json")
    let dashboard = try JSONDecoder().decode(Dashboard.self, from: Data(text.utf8))
    #expect(Set(dashboard.panels.map(\.id)).count == dashboard.panels.count)
    let queries = dashboard.panels.flatMap(\.targets).map(\.expr)
    #expect(queries.count >= dashboard.panels.count)
    for query in queries {
      #expect(!metrics(in: query).isEmpty, "\(query)")
      #expect(Set(metrics(in: query)).subtracting(Self.known) == [], "\(query)")
      #expect(Set(states(in: query)).subtracting(Self.states) == [], "\(query)")
    }
    for variable in dashboard.templating.list where variable.name != "datasource" {
      #expect(Set(metrics(in: variable.query)).subtracting(Self.known) == [] && !metrics(in: variable.query).isEmpty)
    }
  }

  @Test("The alerts use metrics and states that exist")
  func alerts() throws {
    let lines = try Golden.contents(Golden.root + "/contrib/prometheus/iscsi-admin.rules.yml").split(separator: "\n")
    let queries = lines.compactMap { line in
      line.drop { $0 == " " }.hasPrefix("expr: ") ? String(line) : nil
    }
    #expect(queries.count == 8)
    for query in queries {
      #expect(!metrics(in: query).isEmpty, "\(query)")
      #expect(Set(metrics(in: query)).subtracting(Self.known) == [], "\(query)")
      #expect(Set(states(in: query)).subtracting(Self.states) == [], "\(query)")
    }
    #expect(states(in: #"x{state=~"a|b",io!="c"}"#) == ["a", "b", "c"])
  }
}
