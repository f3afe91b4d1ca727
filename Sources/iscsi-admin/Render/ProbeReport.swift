// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// What a probe found, as its JSON shows it (version 1). A key whose value is not known is left out.
struct ProbeReport: Encodable {
  /// A unit as its JSON shows it.
  struct Unit: Encodable {
    var lun: UInt64
    var type: String?
    var state: String?
    var vendor: String?
    var product: String?
    var revision: String?
    var serialNumber: String?
    var identifier: String?
    /// Octets.
    var size: UInt64?
    var logicalBlockSize: UInt32?
    var physicalBlockSize: UInt32?
    var thinProvisioned: Bool?
    var writeProtected: Bool?
    var removable: Bool?
    var accessState: String?
    var accessPreferred: Bool?
    var targetPortGroup: UInt16?
    /// How long the read of block 0 took, in microseconds.
    var readMicroseconds: Int64?
    /// Why the unit could not be asked or read.
    var error: String?

    /// A unit of which only its number is known.
    init(lun: LUN) { self.lun = lun.linuxNumber }

    /// Takes in a description.
    mutating func apply(_ unit: LogicalUnitDescription) {
      type = unit.type.description
      state = unit.isConnected ? unit.readiness.description : "no unit"
      vendor = unit.vendor
      product = unit.product
      revision = unit.revision
      serialNumber = unit.serialNumber
      identifier = unit.identifier?.description
      size = unit.size
      logicalBlockSize = unit.logicalBlockSize
      physicalBlockSize = unit.physicalBlockSize
      thinProvisioned = unit.isThinProvisioned
      writeProtected = unit.isWriteProtected
      removable = unit.isRemovable
      accessState = unit.access?.state?.description
      accessPreferred = unit.access?.isPreferred
      targetPortGroup = unit.access?.portGroup
    }
  }

  let version = 1
  let kind = "probe"
  var target: String
  var portal: String
  var units: [Unit] = []

  private enum CodingKeys: CodingKey {
    case version, kind, target, portal, units
  }

  /// The titles of `rows`.
  static let columns = [
    "LUN", "TYPE", "SIZE", "BLOCK", "VENDOR", "PRODUCT", "REV", "SERIAL", "ID", "FLAGS", "ACCESS", "READ", "STATE",
  ]

  /// One row of text a unit; what is not known is a dash.
  var rows: [[String]] {
    units.map { unit in
      [
        String(unit.lun), unit.type, unit.size.map(Self.binary), unit.logicalBlockSize.map(String.init), unit.vendor,
        unit.product, unit.revision, unit.serialNumber, unit.identifier, unit.flags, unit.accessState,
        unit.readMicroseconds.map { "\($0) us" }, unit.error ?? unit.state,
      ].map { $0 ?? "-" }
    }
  }

  /// Octets as a person reads them: `64.0 MiB`.
  static func binary(_ octets: UInt64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    var exponent = 0
    while exponent < units.count - 1, octets >> UInt64(10 * (exponent + 1)) > 0 { exponent += 1 }
    guard exponent > 0 else { return "\(octets) B" }
    let tenths = (octets >> UInt64(10 * (exponent - 1))) * 10 / 1024
    return "\(tenths / 10).\(tenths % 10) \(units[exponent])"
  }
}

extension ProbeReport.Unit {
  /// `thin`, `ro`, `removable`, joined; nil for none.
  fileprivate var flags: String? {
    let set = [
      thinProvisioned == true ? "thin" : nil, writeProtected == true ? "ro" : nil,
      removable == true ? "removable" : nil,
    ].compactMap(\.self)
    return set.isEmpty ? nil : set.joined(separator: ",")
  }
}
