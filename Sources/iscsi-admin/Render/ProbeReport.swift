// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// What a probe found.
struct ProbeReport: Sendable {
  /// A unit, as far as it could be asked.
  struct Unit: Sendable {
    var lun: LUN
    /// What it tells about itself.
    var description: LogicalUnitDescription?
    /// How long the read of block 0 took.
    var readTime: Duration?
    /// Why it could not be asked or read.
    var error: UserspaceError?

    /// A unit of which only its number is known.
    init(_ lun: LUN) { self.lun = lun }

    /// Whether the target says that there is no such unit: by the peripheral qualifier (tgt does), or by refusing
    /// INQUIRY with LOGICAL UNIT NOT SUPPORTED (LIO does).
    var isMissing: Bool {
      if case .sense(let sense)? = error?.reason { return sense.code == 0x25 }
      return error == nil && description?.isConnected == false
    }

    /// How long the read of block 0 took, in whole microseconds.
    var readMicroseconds: Int64? {
      readTime.map {
        Int64(clamping: $0.components.seconds) * 1_000_000 + $0.components.attoseconds / 1_000_000_000_000
      }
    }
  }

  var target: TargetName
  /// The portal that took the login, after redirects.
  var portal: Portal
  /// Whether one unit was asked for by its number.
  var isOfOneUnit = false
  var units: [Unit] = []
}

extension ProbeReport {
  /// What the command prints.
  func output(_ options: ReportOptions, for terminal: Terminal) throws -> CommandOutput {
    var output = CommandOutput()
    for unit in units {
      let error: (any DiagnosableError)? = isOfOneUnit && unit.isMissing ? MissingUnit(lun: unit.lun) : unit.error
      guard let error else { continue }
      output.fail(error, about: FailureSubject(target: target.description, portal: portal, lun: unit.lun))
    }
    if options.json {
      try output.show(ProbeDocument(self))
    } else if !options.quiet {
      output.text = "\(target) at \(portal.address)\n" + probeTable(units, for: terminal)
    }
    return output
  }
}

/// The units of a target, a line each.
private func probeTable(_ units: [ProbeReport.Unit], for terminal: Terminal) -> String {
  var table = Table([
    Table.Column(header: "LUN", alignment: .right), Table.Column(header: "TYPE"),
    Table.Column(header: "SIZE", alignment: .right), Table.Column(header: "BLOCK", alignment: .right),
    Table.Column(header: "MODEL", minimumWidth: 8), Table.Column(header: "SERIAL", minimumWidth: 6),
    Table.Column(header: "ID", minimumWidth: 8), Table.Column(header: "FLAGS", isOptional: true),
    Table.Column(header: "ACCESS", isOptional: true),
    Table.Column(header: "READ", alignment: .right), Table.Column(header: "STATE", minimumWidth: 8),
  ])
  for unit in units {
    let found = unit.description
    table.add([
      Table.Cell(unit.lun.description), Table.Cell(found?.type.description), Table.Cell(found?.size.map(binarySize)),
      Table.Cell(found?.logicalBlockSize.map(String.init)), Table.Cell(found?.modelText),
      Table.Cell(found?.serialNumber), Table.Cell(found?.identifier?.description), Table.Cell(found?.flags),
      Table.Cell(found?.access?.state?.description), Table.Cell(unit.readMicroseconds.map { "\($0) us" }),
      unit.stateCell,
    ])
  }
  return table.lines(for: terminal).joined(separator: "\n") + "\n"
}

extension ProbeReport.Unit {
  /// The state, or why there is none.
  fileprivate var stateCell: Table.Cell {
    if let error { return Table.Cell(error.reason.description, .bad) }
    guard let description else { return Table.Cell(nil) }
    return Table.Cell(description.state, description.isConnected && description.readiness == .ready ? .good : .warning)
  }
}

extension LogicalUnitDescription {
  /// Whether the unit takes commands, in words.
  var state: String { isConnected ? readiness.description : "no unit" }

  /// Vendor, product and revision.
  fileprivate var modelText: String {
    [vendor, product, revision].compactMap(\.self).joined(separator: " ")
  }

  /// `thin`, `ro`, `removable`, joined.
  fileprivate var flags: String {
    let set = [
      isThinProvisioned == true ? "thin" : nil, isWriteProtected == true ? "ro" : nil,
      isRemovable ? "removable" : nil,
    ]
    return set.compactMap(\.self).joined(separator: ",")
  }
}
