// SPDX-License-Identifier: Apache-2.0

/// What a timeout is: a number of seconds, or the kernel's `off`, which is something else than 0.
public enum TimeoutValue: Hashable, Sendable, CustomStringConvertible, ExpressibleByIntegerLiteral {
  /// So many seconds.
  case seconds(UInt32)
  /// The kernel's `off`, which its requests and open-iscsi's records write as -1.
  case off

  /// Seconds.
  public init(integerLiteral seconds: UInt32) { self = .seconds(seconds) }

  /// A number as requests, records and JSON have it: -1 is `off`; nil for another negative one, and for one that is too
  /// large.
  public init?(number: some BinaryInteger) {
    if number == -1 {
      self = .off
    } else if let seconds = UInt32(exactly: number) {
      self = .seconds(seconds)
    } else {
      return nil
    }
  }

  /// The number that requests, records and JSON have: -1 for `off`.
  public var number: Int64 {
    switch self {
    case .seconds(let seconds): Int64(seconds)
    case .off: -1
    }
  }

  /// As sysfs writes it: decimal, or `off`.
  public var description: String {
    switch self {
    case .seconds(let seconds): String(seconds)
    case .off: "off"
    }
  }

  /// Reads what sysfs or a record has; nil for what is neither a number nor `off`.
  public init?(_ text: some StringProtocol) {
    if text == "off" || text == "-1" {
      self = .off
    } else {
      guard !text.isEmpty, text.utf8.allSatisfy(\.isDigit), let seconds = UInt32(text) else { return nil }
      self = .seconds(seconds)
    }
  }
}

/// Why a setting cannot be made as somebody asks. Nothing is changed then.
public enum SettingRefusal: DiagnosableError, Hashable {
  /// There is no setting of this name.
  case unknown(String)
  /// It cannot have this value.
  case badValue(Timeout, String)
  /// It cannot be off; zero may do what is meant.
  case noOff(Timeout)
  /// There is no such I/O scheduler.
  case badScheduler(String)
  /// It is given twice.
  case repeated(String)
  /// The kernel does not know it: it is for our logins, and lives in records alone.
  case recordOnly(Timeout)
  /// No record has it.
  case liveOnly(String)
  /// There is no such session.
  case noSession(SessionID)
  /// It can be set on a session that is up only, and no such session is meant.
  case noneUp(String)
  /// It can be set in a record only, and what is meant has none.
  case noRecord(String)

  /// What is wrong.
  public var description: String {
    switch self {
    case .unknown(let name):
      "there is no setting \(name.debugDescription)"
        + (name.nearest(in: TimeoutSettings.names).map { " (did you mean '\($0)'?)" } ?? "")
    case .badValue(let timeout, let text): "\(timeout) must be \(timeout.details.values), not \(text.debugDescription)"
    case .noOff(let timeout): "\(timeout) has no off: it must be \(timeout.details.values)"
    case .badScheduler(let text):
      "\(IOScheduler.settingName) must be \(IOScheduler.allCases.map(\.rawValue).list("or")), "
        + "not \(text.debugDescription)"
    case .repeated(let name): "\(name) is given twice"
    case .recordOnly(let timeout): "\(timeout) is in records alone: a session that is up has no use of it"
    case .liveOnly(let name): "\(name) is in no record: it is a setting of the kernel's disks and hosts"
    case .noSession(let id): "there is no session \(id)"
    case .noneUp(let name): "\(name) is set on sessions that are there, and no such session is"
    case .noRecord(let name): "\(name) is set in a record, and there is none of what is named"
    }
  }

  /// 2 for a session, 21 for what is not there, 7 for what cannot be.
  public var exitStatus: ExitStatus {
    switch self {
    case .noSession: .sessionNotFound
    case .noneUp, .noRecord: .noObjectsFound
    case .unknown, .badValue, .noOff, .badScheduler, .repeated, .recordOnly, .liveOnly: .invalidArgument
    }
  }

  /// What can be done.
  public var advice: String? {
    switch self {
    case .unknown: "iscsi-admin set --list shows all"
    case .noOff(let timeout): timeout.details.zeroMeaning.map { "with 0, \($0)" }
    case .recordOnly: "leave --live out"
    case .liveOnly: "leave --record out; what iscsi-admin tune --persist writes outlives sessions"
    case .noSession, .noneUp: "iscsi-admin session list shows the sessions"
    case .noRecord: "iscsi-admin node list shows the records"
    case .badValue(let timeout, _): timeout.advice
    case .badScheduler, .repeated: nil
    }
  }
}

extension Timeout {
  /// Reads a value as people write it: seconds, or `off` or -1 where the kernel has that.
  ///
  /// - Throws: `badValue` or `noOff`.
  public func value(_ text: String) throws(SettingRefusal) -> TimeoutValue {
    guard let value = TimeoutValue(text) else { throw .badValue(self, text) }
    try check(value)
    return value
  }

  /// Throws `badValue` or `noOff` for what it cannot be.
  public func check(_ value: TimeoutValue) throws(SettingRefusal) {
    switch value {
    case .off: if details.offMeaning == nil { throw .noOff(self) }
    case .seconds(let seconds): if !details.range.contains(seconds) { throw .badValue(self, value.description) }
    }
  }

  /// What its values come to, for who has given none of them: `the default is 120; with 0, I/O fails at once`.
  var advice: String {
    let meanings = [
      details.zeroMeaning.map { "with 0, \($0)" }, details.offMeaning.map { "with -1, \($0)" },
    ]
    return (["the default is \(details.standard.number)"] + meanings.compactMap(\.self)).joined(separator: "; ")
  }

  /// A value in words: `120 s`, `off (I/O waits for ever)`, `0 s (I/O fails at once)`.
  public func words(_ value: TimeoutValue) -> String {
    switch value {
    case .off: "off" + (details.offMeaning.map { " (\($0))" } ?? "")
    case .seconds(0): "0 s" + (details.zeroMeaning.map { " (\($0))" } ?? "")
    case .seconds(let seconds): "\(seconds) s"
    }
  }
}

/// What orders the I/O of a disk (sysfs `queue/scheduler` of its block device).
public enum IOScheduler: String, Hashable, Sendable, CaseIterable, CustomStringConvertible {
  /// Nothing: the target knows better. Older kernels called the like of it `noop`.
  case none
  /// Deadlines for reads and writes.
  case mqDeadline = "mq-deadline"
  /// Bounded latencies.
  case kyber
  /// Fair shares.
  case bfq

  /// The kernel's word.
  public var description: String { rawValue }

  /// The name of the setting on the command line and in JSON.
  public static let settingName = "io-scheduler"

  /// The word in calls for none of these: what the kernel gives a disk.
  static let resetWord = "default"
  /// What the kernel gives a disk of one queue, as those of iSCSI are, if it has it (kernel: `block/elevator.c`).
  static let kernelChoice = IOScheduler.mqDeadline
}
