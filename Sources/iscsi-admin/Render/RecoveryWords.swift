// SPDX-License-Identifier: Apache-2.0
import IscsiKit

extension RecoveryState {
  /// The state for people, and how good the news is.
  var cell: Table.Cell {
    switch self {
    case .operational: Table.Cell("operational", .good)
    case .suspect: Table.Cell("suspect", .warning)
    case .recovering: Table.Cell("recovering", .warning)
    case .failingIO: Table.Cell("failing I/O", .bad)
    case .errorHandling: Table.Cell("error handling", .warning)
    case .devicesStopped: Table.Cell("disks stopped", .bad)
    case .loggingIn: Table.Cell("logging in", .warning)
    case .loggingOut: Table.Cell("logging out", .warning)
    case .gone: Table.Cell("gone", .bad)
    case .unknown: Table.Cell("unknown", .warning)
    }
  }

  /// Since when, in seconds since 1970, if that is known.
  var since: Double? {
    switch self {
    case .failingIO(let since, _): since ?? outage?.since
    case .suspect(.silence(let since)): since
    case .suspect(.network(_, let since)): since
    case .loggingOut(let since): since
    default: outage?.since
    }
  }

  /// Why it is so, in one line; nil if nobody knows, or nothing is wrong.
  var cause: String? {
    switch self {
    case .operational, .loggingIn, .loggingOut(nil), .gone, .unknown: return nil
    case .loggingOut: return "its disks are being removed: what is not written yet goes to the target first"
    case .suspect(.network(let finding, _)): return finding
    case .suspect(.silence): return "the target has not answered a NOP-Out yet"
    case .devicesStopped(let devices):
      let names = devices.map { "\($0.blockDevice ?? $0.address) is \($0.state ?? "in an unknown state")" }
      return "the session is up, but \(names.joined(separator: ", "))"
    case .recovering(let outage), .failingIO(_, let outage): return outage.map(Self.cause)
    case .errorHandling(_, let outage):
      return ["SCSI error handling is at work", outage.map(Self.cause)].compactMap(\.self).joined(separator: "; ")
    }
  }

  private static func cause(of outage: OutageFacts) -> String {
    let failure = outage.lastFailure.map { "attempt \($0.number) failed: \($0.cause)" }
    return [outage.cause, outage.network, failure].compactMap(\.self).joined(separator: "; ")
  }

  /// Which attempt to log in is under way, or comes when; nil if nobody knows.
  func attemptText(at now: Double) -> String? {
    guard let outage else { return nil }
    guard let next = outage.nextAttempt else { return outage.attempts == 0 ? nil : "\(outage.attempts) under way" }
    return "\(outage.attempts == Int.max ? Int.max : outage.attempts + 1) in \(durationText(max(0, next - now)))"
  }
}

extension SupervisionPhase {
  /// The phase for people.
  var words: String {
    switch self {
    case .loggingIn: "logging in"
    case .up: "up"
    case .recovering: "recovering"
    case .loggingOut: "logging out"
    case .gone: "gone"
    }
  }
}

extension IOState {
  /// What becomes of I/O, in few words, and how good the news is.
  func cell(at now: Double) -> Table.Cell {
    switch self {
    case .flows: Table.Cell("flows", .good)
    case .fails: Table.Cell("fails", .bad)
    case .waits(nil): Table.Cell("waits", .warning)
    case .waits(.never?): Table.Cell("waits for ever", .warning)
    case .waits(let deadline?): Table.Cell("waits \(durationText(deadline.remaining(at: now) ?? 0))", .warning)
    }
  }
}

extension SessionStatus {
  /// The state and since when, in one line.
  func stateText(at now: Double) -> String {
    let time = state.since.map { " for \(durationText(max(0, now - $0)))" } ?? ""
    return state.cell.text + time
  }

  /// What becomes of I/O and when that changes, in one line.
  ///
  /// - Parameters:
  ///   - session: What the kernel shows.
  ///   - now: The time of day in seconds since 1970.
  /// - Returns: The line; nil if there is nothing to tell.
  func ioText(of session: SessionSnapshot, at now: Double) -> String? {
    switch io {
    case .flows?: return "flows"
    case .fails?:
      if case .failingIO = state { return "fails until the session is back" }
      return state.isUp ? "fails on some disks" : "fails"
    case .waits(.never?)?: return "waits for the session to come back, however long that takes"
    case .waits(.at(let time)?)?:
      return time > now
        ? "waits for \(durationText(time - now)) more, until \(clockText(time)), and fails then"
        : "waits, and is about to fail: its time was over at \(clockText(time))"
    case .waits(nil)?:
      guard session.state == .failed, let timeout = session.replacementText else { return "waits" }
      let reason = isSupervised ? "" : " without the daemon"
      return "waits; until when is not known\(reason) (replacement timeout: \(timeout))"
    case nil: return nil
    }
  }
}

extension RecoveryState {
  /// Whether the session itself is in order, and what is wrong is about its devices.
  fileprivate var isUp: Bool {
    if case .devicesStopped = self { true } else { self == .operational }
  }
}

extension DiskContext {
  /// What the disk is used for, with the devices between: `/srv (sda1, dm-0), swap (sda2)`; nil if it is not.
  var useText: String? {
    guard !uses.isEmpty else { return nil }
    return uses.map { use in
      let through = use.steps.isEmpty ? "" : " (\(use.steps.map(\.description).joined(separator: ", ")))"
      return switch use.kind {
      case .mounted(let path): path + through
      case .swap: "swap" + through
      }
    }.joined(separator: ", ")
  }
}

/// A number without a fraction, 0 for what is less or none: a clock that was set, or a daemon's nonsense, must not trap.
func wholeNumber(_ number: Double) -> UInt64 { number.isFinite ? UInt64(min(max(0, number), 1e15)) : 0 }

/// A length of time for people, in its two largest units: `3 s`, `1 min 40 s`, `2 h 5 min`, `3 d 4 h`. What is less than
/// a second is told as 0 s: countdowns end with it.
func durationText(_ seconds: Double) -> String {
  let whole = wholeNumber(seconds.rounded(.down))
  let units: [(UInt64, String)] = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")]
  guard let first = units.firstIndex(where: { whole >= $0.0 }) else { return "0 s" }
  let (size, name) = units[first]
  let rest = units.dropFirst(first + 1).first.map { (whole % size / $0.0, $0.1) }
  guard let rest, rest.0 > 0 else { return "\(whole / size) \(name)" }
  return "\(whole / size) \(name) \(rest.0) \(rest.1)"
}
