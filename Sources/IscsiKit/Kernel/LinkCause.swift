// SPDX-License-Identifier: Apache-2.0

/// Whether a network device can carry traffic, and if not, why.
public enum LinkCause: Hashable, Sendable, CustomStringConvertible {
  /// This network namespace has no such device.
  case noSuchDevice
  /// The administrator has not switched it on (`ip link set ... up`).
  case administrativelyDown
  /// It is on but has no carrier; the reason, if the driver or the kernel gives one.
  case noCarrier(LinkFault?)
  /// It is on and has a carrier.
  case up

  /// The state in words, fit to follow the device's name and " is ".
  public var description: String {
    switch self {
    case .noSuchDevice: "missing"
    case .administrativelyDown: "administratively down"
    case .noCarrier(nil): "without carrier"
    case .noCarrier(let fault?): "without carrier (\(fault))"
    case .up: "up"
    }
  }
}

/// Why a link has no carrier.
public struct LinkFault: Hashable, Sendable, CustomStringConvertible {
  /// What is wrong: `no cable`.
  public let state: String
  /// More about it, if the driver knows: `no partner detected`.
  public let detail: String?

  /// A reason from its parts.
  public init(state: String, detail: String? = nil) {
    self.state = state
    self.detail = detail
  }

  /// Both, in one line.
  public var description: String { detail.map { "\(state): \($0)" } ?? state }
}

extension LinkFault {
  /// The reason by the numbers of `ETHTOOL_A_LINKSTATE_EXT_STATE` and `..._EXT_SUBSTATE` (kernel: `linux/ethtool.h`).
  ///
  /// Numbers that are not known here, of a newer kernel, are given as numbers.
  init(extendedState: UInt8, substate: UInt8?) {
    let known = Int(extendedState) < Self.extended.count ? Self.extended[Int(extendedState)] : nil
    state = known?.name ?? "link state \(extendedState)"
    detail = substate.map { number in
      // The kernel counts from 1.
      let details = known?.details ?? []
      return (1...).contains(number) && Int(number) <= details.count ? details[Int(number) - 1] : "detail \(number)"
    }
  }

  /// The reason by the operational state (RFC 2863; kernel: `linux/if.h`); nil if that says no more than "down".
  init?(operationalState: UInt8) {
    switch operationalState {
    case 1: self.init(state: "the hardware is not present")
    case 3: self.init(state: "the device below it is down")
    case 4: self.init(state: "it is being tested")
    case 5: self.init(state: "it waits for an event, such as 802.1X")
    default: return nil
    }
  }

  /// The names by number, each with those of its substates.
  private static let extended: [(name: String, details: [String])] = [
    (
      "autonegotiation failed",
      [
        "no partner detected", "acknowledgement not received", "next page exchange failed",
        "no partner detected in forced mode", "FEC mismatch during override", "no common speed and duplex",
      ]
    ),
    (
      "link training failed",
      [
        "KR frame lock not acquired", "KR link inhibit timeout", "KR partner did not set receiver ready",
        "remote fault",
      ]
    ),
    (
      "logical mismatch",
      [
        "PCS did not acquire block lock", "PCS did not acquire alignment marker lock",
        "PCS did not get alignment status", "FC FEC is not locked", "RS FEC is not locked",
      ]
    ),
    (
      "bad signal integrity",
      [
        "large number of physical errors", "unsupported rate", "SerDes reference clock lost",
        "SerDes loss of signal",
      ]
    ),
    ("no cable", []),
    ("cable issue", ["unsupported cable", "cable test failed"]),
    ("EEPROM issue", []),
    ("calibration failed", []),
    ("power budget exceeded", []),
    ("overheated", []),
    ("module issue", ["module not ready"]),
  ]
}
