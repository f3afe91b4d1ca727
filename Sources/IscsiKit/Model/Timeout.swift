// SPDX-License-Identifier: Apache-2.0

/// A timeout of the chain between a silent network and an I/O that fails: from the NOP-Out to the SCSI device.
///
/// What each is stands in one table, ``details``: parser, printer, JSON, help and `docs/timeouts.md` go by it.
public enum Timeout: String, Hashable, Sendable, CaseIterable, CustomStringConvertible {
  /// Silence before the target is asked for a sign of life.
  case noopInterval = "noop-interval"
  /// How long that sign of life may take.
  case noopTimeout = "noop-timeout"
  /// How long I/O waits for a lost session.
  case replacement = "replacement-timeout"
  /// How long one login may take.
  case login = "login-timeout"
  /// How long a target may take to answer a logout.
  case logout = "logout-timeout"
  /// How long a command may take before error handling looks at it.
  case device = "device-timeout"
  /// How long an ABORT TASK may take.
  case abort = "abort-timeout"
  /// How long a LOGICAL UNIT RESET may take.
  case luReset = "lu-reset-timeout"
  /// How long a TARGET RESET may take.
  case targetReset = "target-reset-timeout"
  /// How long a command of error handling itself may take.
  case deviceErrorHandling = "device-eh-timeout"
  /// How long error handling may take before it goes straight to the reset of the host.
  case hostErrorHandling = "host-eh-deadline"

  /// The name on the command line and in JSON.
  public var description: String { rawValue }

  /// A timeout by its own name, or by its key in open-iscsi's records; nil if there is none.
  public init?(name: String) {
    guard let timeout = Timeout.allCases.first(where: { $0.rawValue == name || $0.details.recordKey == name }) else {
      return nil
    }
    self = timeout
  }
}

/// Where a timeout is, as far as the kernel goes by it.
public enum TimeoutPlace: String, Hashable, Sendable, CaseIterable {
  /// In the record of the node, for our own logins and logouts; the kernel does not know it.
  case record
  /// In the kernel's session: `/sys/class/iscsi_session/sessionS`.
  case session
  /// In the kernel's connection: `/sys/class/iscsi_connection/connectionS:0`.
  case connection
  /// In the SCSI host: `/sys/class/scsi_host/hostH`.
  case host
  /// In each SCSI device: `/sys/bus/scsi/devices/H:0:0:L`.
  case device

  /// The directory in sysfs; nil where there is none.
  public var directory: String? {
    switch self {
    case .record: nil
    case .session: "/sys/class/iscsi_session/sessionS"
    case .connection: "/sys/class/iscsi_connection/connectionS:0"
    case .host: "/sys/class/scsi_host/hostH"
    case .device: "/sys/bus/scsi/devices/H:0:0:L"
    }
  }
}

/// All that is known of a timeout.
public struct TimeoutDescription: Hashable, Sendable {
  /// What it is, in words.
  public let summary: String
  /// Where the kernel has it.
  public let place: TimeoutPlace
  /// Its file there; nil for one that the kernel does not know.
  public let attribute: String?
  /// Its key in open-iscsi's records; nil for one that no record has.
  public let recordKey: String?
  /// The numbers that it can be, in seconds.
  public let range: ClosedRange<UInt32>
  /// What it is where nobody has set it: by open-iscsi for those that a record has, by the kernel for the others.
  public let standard: TimeoutValue
  /// What zero does; nil for one that cannot be zero, or to which zero is nothing special.
  public let zeroMeaning: String?
  /// What the kernel's `off` (-1) does; nil for one that has none.
  public let offMeaning: String?
  /// Whether it can change on a session that is up.
  public let isLive: Bool
  /// When a change takes effect.
  public let effect: String

  /// Whether a udev rule can set it.
  public var isForUdev: Bool { place == .device }

  /// What its values are, in words that follow "must be": `off or 0 to 2147483 seconds`.
  public var values: String {
    (offMeaning == nil ? "" : "off or ") + "\(range.lowerBound) to \(range.upperBound) seconds"
  }

  /// Its file by its whole path; nil for one that the kernel does not know.
  public var path: String? {
    guard let attribute, let directory = place.directory else { return nil }
    return "\(directory)/\(attribute)"
  }
}

extension Timeout {
  /// The most seconds of a timeout: the kernel counts in ticks, of which there may be 1000 a second, and an `int` holds as
  /// many. Beyond, a timeout would become a short one.
  public static let longest: UInt32 = UInt32(Int32.max / 1000)

  /// All that is known of it (kernel: `libiscsi.c`, `scsi_transport_iscsi.c`, `scsi_sysfs.c`, `scsi_error.c`).
  public var details: TimeoutDescription {
    switch self {
    case .noopInterval:
      .init(
        "silence before the target is asked for a sign of life by a NOP-Out", .connection, "recv_tmo",
        key: "node.conn[0].timeo.noop_out_interval", standard: 5, zero: "it is never asked",
        effect: "once the interval so far is over; where NOP-Outs were off, at the next login")
    case .noopTimeout:
      .init(
        "how long the answer to a NOP-Out may take before the connection is given up", .connection, "ping_tmo",
        key: "node.conn[0].timeo.noop_out_timeout", standard: 5, zero: "NOP-Outs are off",
        effect: "with the next NOP-Out; where NOP-Outs were off, at the next login")
    case .replacement:
      .init(
        "how long I/O waits for a lost session to come back before it fails", .session, "recovery_tmo",
        key: "node.session.timeo.replacement_timeout", standard: 120, zero: "I/O fails at once",
        off: "I/O waits for ever", effect: "with the next loss; a timer that runs already is not changed")
    case .login:
      .init(
        "how long one login may take", .record, nil, key: "node.conn[0].timeo.login_timeout", from: 1, standard: 30,
        effect: "at the next login by the record")
    case .logout:
      .init(
        "how long the target may take to answer a logout", .record, nil, key: "node.conn[0].timeo.logout_timeout",
        from: 1, standard: 15,
        effect: "at the next logout by a repeated discovery, or by open-iscsi; iscsi-admin logout has --timeout")
    case .device:
      .init(
        "how long a command may take before SCSI error handling looks at it", .device, "timeout", from: 1, standard: 30,
        effect: "with the next command")
    case .abort:
      .init(
        "how long an ABORT TASK may take before the logical unit is reset", .session, "abort_tmo",
        key: "node.session.err_timeo.abort_timeout", from: 1, standard: 15, effect: "with the next ABORT TASK")
    case .luReset:
      .init(
        "how long a LOGICAL UNIT RESET may take before the target is reset", .session, "lu_reset_tmo",
        key: "node.session.err_timeo.lu_reset_timeout", from: 1, standard: 30,
        effect: "with the next LOGICAL UNIT RESET")
    case .targetReset:
      .init(
        "how long a TARGET RESET may take before the session is dropped and logged in again", .session, "tgt_reset_tmo",
        key: "node.session.err_timeo.tgt_reset_timeout", from: 1, standard: 30, effect: "with the next TARGET RESET")
    case .deviceErrorHandling:
      .init(
        "how long a command of SCSI error handling itself may take", .device, "eh_timeout", from: 1, standard: 10,
        effect: "with the next command of error handling")
    case .hostErrorHandling:
      .init(
        "how long SCSI error handling may take before it goes straight to the reset of the host", .host, "eh_deadline",
        standard: .off, zero: "at once", off: "no such limit",
        effect: "with the next error handling; a driver without a host reset, such as iscsi_tcp, does not take it")
    }
  }
}

extension TimeoutDescription {
  fileprivate init(
    _ summary: String, _ place: TimeoutPlace, _ attribute: String?, key: String? = nil, from least: UInt32 = 0,
    standard: TimeoutValue, zero: String? = nil, off: String? = nil, effect: String
  ) {
    self.init(
      summary: summary, place: place, attribute: attribute, recordKey: key, range: least...Timeout.longest,
      standard: standard, zeroMeaning: zero, offMeaning: off, isLive: place != .record, effect: effect)
  }
}
