// SPDX-License-Identifier: Apache-2.0

/// The text forms that readers of metrics understand.
enum MetricFormat: String, Hashable, Sendable, CaseIterable {
  /// OpenMetrics 1.0, which Prometheus asks for.
  case openMetrics = "openmetrics"
  /// Prometheus' own text format 0.0.4: all that the textfile collector of node_exporter reads, which refuses a file with
  /// the type `info` and does not see that `x_total` belongs to the counter `x`.
  case prometheus

  /// The media type of the text (HTTP's Content-Type).
  var mediaType: String {
    switch self {
    case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
    case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
    }
  }

  /// The best form for whoever accepts these media types (HTTP's Accept): OpenMetrics for those only who name it.
  init(accepted: String) {
    self = accepted.lowercased().contains("application/openmetrics-text") ? .openMetrics : .prometheus
  }

  /// The text of some metrics. Families without a sample are left out.
  func text(of families: [MetricFamily]) -> String {
    var text = ""
    for family in families where !family.samples.isEmpty {
      appendHead(of: family.definition, to: &text)
      let name = family.definition.sampleName
      for sample in family.samples {
        text += name
        appendLabels(zip(family.definition.labels, sample.labels), to: &text)
        text += " \(sample.value.text)\n"
      }
    }
    if self == .openMetrics { text += "# EOF\n" }
    return text
  }

  private func appendHead(of definition: MetricDefinition, to text: inout String) {
    switch self {
    case .openMetrics:
      let name = definition.familyName
      text += "# TYPE \(name) \(definition.kind.rawValue)\n"
      if let unit = definition.unit { text += "# UNIT \(name) \(unit.rawValue)\n" }
      text += "# HELP \(name) \(definition.help.metricEscaped)\n"
    case .prometheus:
      let name = definition.sampleName
      let kind = definition.kind == .info ? .gauge : definition.kind
      text += "# HELP \(name) \(definition.help.replacing("\\", with: "\\\\").replacing("\n", with: "\\n"))\n"
      text += "# TYPE \(name) \(kind.rawValue)\n"
    }
  }

  private func appendLabels(_ labels: Zip2Sequence<[String], [String?]>, to text: inout String) {
    var separator = "{"
    for (name, value) in labels {
      guard let value else { continue }
      text += "\(separator)\(name)=\"\(value.metricEscaped)\""
      separator = ","
    }
    if separator == "," { text += "}" }
  }
}

extension MetricValue {
  /// The value as both formats have it.
  fileprivate var text: String {
    switch self {
    case .count(let count): String(count)
    case .truth(let isTrue): isTrue ? "1" : "0"
    case .measure(let number) where number.isNaN: "NaN"
    case .measure(let number) where number.isInfinite: number < 0 ? "-Inf" : "+Inf"
    case .measure(let number): number.rounded() == number && abs(number) < 1e15 ? String(Int64(number)) : "\(number)"
    }
  }
}

extension String {
  /// The text as a label's value has it.
  fileprivate var metricEscaped: String {
    guard utf8.contains(where: { $0 == UInt8(ascii: "\\") || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\n") })
    else { return self }
    return unicodeScalars.reduce(into: "") { text, scalar in
      switch scalar {
      case "\\": text += "\\\\"
      case "\"": text += "\\\""
      case "\n": text += "\\n"
      default: text.unicodeScalars.append(scalar)
      }
    }
  }
}
