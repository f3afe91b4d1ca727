// SPDX-License-Identifier: Apache-2.0

/// What a metric is, apart from its values: a row of docs/metrics.md.
///
/// Names follow Prometheus' conventions: base units, the unit in the name, `_total` for what only rises, `_info` for what
/// only has labels.
struct MetricDefinition: Hashable, Sendable {
  /// What the values of a metric do.
  enum Kind: String, Hashable, Sendable {
    /// They rise and fall.
    case gauge
    /// They only rise, and begin again at 0 with what they belong to.
    case counter
    /// There is but the value 1; the labels are what it tells.
    case info
  }

  /// What a metric is measured in.
  enum Unit: String, Hashable, Sendable {
    /// Seconds; a moment in seconds since 1970.
    case seconds
    /// Octets.
    case bytes
  }

  /// What the values do.
  let kind: Kind
  /// The name without the suffixes that follow from kind and unit.
  let base: String
  /// What it is measured in; nil for what is counted or is a truth (1 or 0).
  let unit: Unit?
  /// One sentence.
  let help: String
  /// The labels' names, in the order of a sample's values.
  let labels: [String]

  /// The family's name, as OpenMetrics has it: with the unit, without what follows from the kind.
  var familyName: String { base + (unit.map { "_\($0.rawValue)" } ?? "") }

  /// The name of a sample.
  var sampleName: String {
    switch kind {
    case .gauge: familyName
    case .counter: familyName + "_total"
    case .info: familyName + "_info"
    }
  }
}

/// A metric's value.
enum MetricValue: Hashable, Sendable {
  /// A count.
  case count(UInt64)
  /// A measure; infinite ones are possible.
  case measure(Double)
  /// 1 or 0.
  case truth(Bool)
}

/// One of the values of a metric at one moment.
struct MetricSample: Hashable, Sendable {
  /// The labels' values in the order of the definition; nil is a label that is not there.
  let labels: [String?]
  /// The value.
  let value: MetricValue
}

/// A metric with its values at one moment.
struct MetricFamily: Hashable, Sendable {
  /// What it is.
  let definition: MetricDefinition
  /// Its values, no two with the same labels.
  var samples: [MetricSample] = []
}
