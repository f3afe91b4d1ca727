// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Logging
internal import SystemPackage

/// Where the log's thread writes to.
protocol LogSink: Sendable {
  /// Writes an entry, however long that takes; false if it is lost.
  func write(_ entry: LogEntry) -> Bool
}

/// Standard error, a line an entry.
struct StandardErrorSink: LogSink {
  let identifier: String
  /// The least important level that is written; entries below it count as written.
  var level = Logger.Level.trace

  func write(_ entry: LogEntry) -> Bool {
    guard entry.level >= level else { return true }
    // A closed pipe is an error here and no signal: the log's thread has all signals blocked.
    return (try? FileDescriptor.standardError.writeAll(entry.line(identifier: identifier).utf8)) != nil
  }
}

/// journald, by its own protocol, or another sink as long as there is no journald.
///
/// The address is looked up for each entry, so a journald that was started anew is found. One that is stuck lets the
/// thread wait.
final class JournalSink: LogSink {
  /// Where journald listens.
  static let standardPath = "/run/systemd/journal/socket"

  private let identifier: String
  private let address: UnixAddress
  private let descriptor: Int32
  private let fallback: any LogSink

  init(identifier: String, path: String = standardPath, otherwise fallback: any LogSink) {
    self.identifier = identifier
    self.fallback = fallback
    address = UnixAddress(path: path)
    descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  func write(_ entry: LogEntry) -> Bool {
    let datagram = entry.journalFields(identifier: identifier, delay: entry.time.duration(to: .now))
    guard descriptor >= 0, address.send(datagram, from: descriptor, mayWait: true) == nil else {
      return fallback.write(entry)
    }
    return true
  }
}
