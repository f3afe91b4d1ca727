// SPDX-License-Identifier: Apache-2.0
internal import Glibc
public import Logging
internal import Synchronization
internal import SystemPackage

/// The log of a daemon that must go on when journald, its disk or the terminal does not.
///
/// To log is to put an entry into a bounded buffer: nothing waits, no file is touched. One thread writes to journald's
/// socket, or to standard error if there is no journald. While that is stuck the buffer fills, then entries are dropped;
/// their number is told when it moves again. With the object its thread ends, when it has written what is there.
public final class DaemonLog: Sendable {
  /// Where entries go.
  public enum Destination: Hashable, Sendable {
    /// journald; standard error without one, or if standard error is a terminal.
    case automatic
    /// Standard error.
    case standardError
  }

  /// The most entries that wait.
  static let countLimit = 2048
  /// The most octets of entries that wait.
  static let octetLimit = 256 << 10

  private let queue: LogQueue
  private let currentLevel: Mutex<Logger.Level>

  /// Opens the log and starts its thread; without room for a thread all entries are lost.
  ///
  /// - Parameters:
  ///   - identifier: The program's name in the log.
  ///   - destination: Where entries go.
  ///   - level: The least important level that is written.
  ///   - terminalLevel: The least important level that is written to standard error, if more than `level` is wanted there.
  public convenience init(
    identifier: String = "iscsi-admin", to destination: Destination = .automatic, level: Logger.Level = .info,
    terminalLevel: Logger.Level = .trace
  ) {
    let standardError = StandardErrorSink(identifier: identifier, level: terminalLevel)
    let isTerminal = isatty(STDERR_FILENO) == 1
    let sink: any LogSink =
      destination == .standardError || isTerminal
      ? standardError : JournalSink(identifier: identifier, otherwise: standardError)
    self.init(sink, level: level)
  }

  /// A log that writes to any sink.
  init(
    _ sink: any LogSink, level: Logger.Level = .info, countLimit: Int = countLimit, octetLimit: Int = octetLimit
  ) {
    let queue = LogQueue(countLimit: countLimit, octetLimit: octetLimit)
    self.queue = queue
    currentLevel = Mutex(level)
    do throws(Errno) {
      try DedicatedThread.start(named: "iscsi-log") { queue.run(sink) }
    } catch {
      queue.close()
    }
  }

  deinit { queue.close() }

  /// The least important level that loggers without a level of their own write; can be changed at any time.
  public var level: Logger.Level {
    get { currentLevel.withLock { $0 } }
    set { currentLevel.withLock { $0 = newValue } }
  }

  /// A logger that writes to this log.
  public func logger(_ label: String) -> Logger { Logger(label: label) { _ in DaemonLogHandler(self) } }

  /// Waits until all that was logged before is written; false if it is not by the deadline. For the end of the process.
  @discardableResult
  public func flush(until deadline: ContinuousClock.Instant) async -> Bool { await queue.flush(until: deadline) }

  fileprivate func add(_ entry: LogEntry) { queue.add(entry) }
}

/// Writes to a ``DaemonLog``. Metadata becomes fields of the entry: the key `session` is `ISCSI_SESSION` in the journal.
public struct DaemonLogHandler: LogHandler {
  /// The metadata of every entry.
  public var metadata: Logger.Metadata = [:]
  /// Gives more metadata when an entry is made.
  public var metadataProvider: Logger.MetadataProvider?

  private let log: DaemonLog
  private var ownLevel: Logger.Level?

  /// A handler that writes to a log.
  public init(_ log: DaemonLog) { self.log = log }

  /// The least important level that is written: the log's, until another is set.
  public var logLevel: Logger.Level {
    get { ownLevel ?? log.level }
    set { ownLevel = newValue }
  }

  /// One piece of the metadata of every entry.
  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  /// Puts an entry into the log's buffer.
  public func log(event: LogEvent) {
    var all = metadata
    if let metadataProvider { all.merge(metadataProvider.get()) { $1 } }
    if let own = event.metadata { all.merge(own) { $1 } }
    if let error = event.error { all["error"] = "\(error)" }
    let fields = all.sorted { $0.key < $1.key }.map { LogEntry.Field(key: $0.key, value: $0.value.description) }
    log.add(LogEntry(event.level, event.message.description, fields))
  }
}
