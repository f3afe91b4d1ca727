// SPDX-License-Identifier: Apache-2.0
import IscsiKit

extension SessionSnapshot {
  /// The session's state, in the kernel's word.
  var stateCell: Table.Cell {
    switch state {
    case .loggedIn: Table.Cell("LOGGED_IN", connection?.state == .up ? .good : .warning)
    case .failed: Table.Cell("FAILED", .warning)
    case .free: Table.Cell("FREE", .bad)
    case nil: Table.Cell(nil, .warning)
    }
  }

  /// The connection's state, in the kernel's word.
  var connectionCell: Table.Cell {
    switch connection?.state {
    case .up: Table.Cell("up", .good)
    case .bound: Table.Cell("bound", .warning)
    case .down: Table.Cell("down", .warning)
    case .failed: Table.Cell("failed", state == .failed ? .warning : .bad)
    case nil: Table.Cell(nil)
    }
  }

  /// The portal in use with the tag, or the configured one while there is no socket.
  var portalText: String? {
    (connection?.portal ?? connection?.persistentPortal).map { portal in
      Portal(host: portal.host, port: portal.port, tag: tag).description
    }
  }

  /// The replacement timeout in words.
  var replacementText: String? {
    replacementTimeout.map { $0 == -1 ? "off (I/O waits for ever)" : "\($0) s" }
  }
}

extension DeviceSnapshot {
  /// The state, in the kernel's word.
  var stateCell: Table.Cell {
    switch state {
    case "running": Table.Cell(state, .good)
    case "offline", "transport-offline", "cancel", "deleted": Table.Cell(state, .bad)
    default: Table.Cell(state, .warning)
    }
  }

  /// A word for the peripheral device type: `disk`, `tape`, ...
  var typeName: String? { type.map { PeripheralType(rawValue: $0).description } }

  /// Vendor, product and revision.
  var modelText: String {
    [vendor, model, revision].compactMap(\.self).joined(separator: " ")
  }
}

/// A number of octets for people: `32.0 MiB`; cut, not rounded.
func binarySize(_ octets: UInt64) -> String {
  let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
  var whole = octets
  var rest: UInt64 = 0
  var unit = 0
  while whole >= 1024 {
    rest = whole & 1023
    whole >>= 10
    unit += 1
  }
  return unit == 0 ? "\(whole) B" : "\(whole).\(rest * 10 / 1024) \(units[unit])"
}
