// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Glibc
import Logging
import Synchronization
import SystemPackage
import Testing

@testable import IscsiKit

/// Keeps what is written, and can be stuck or broken.
private final class TestSink: LogSink {
  private struct State {
    var entries: [LogEntry] = []
    var isBroken = false
  }

  private let state = Mutex(State())
  private let gate: DispatchSemaphore?

  init(gate: DispatchSemaphore? = nil) { self.gate = gate }

  var messages: [String] { state.withLock { $0.entries.map(\.message) } }
  var entries: [LogEntry] { state.withLock { $0.entries } }
  var isBroken: Bool {
    get { state.withLock { $0.isBroken } }
    set { state.withLock { $0.isBroken = newValue } }
  }

  func write(_ entry: LogEntry) -> Bool {
    gate?.wait()
    return state.withLock { state in
      if !state.isBroken { state.entries.append(entry) }
      return !state.isBroken
    }
  }
}

@Suite("The daemon's log", .timeLimit(.minutes(1)))
struct DaemonLogTests {
  private let soon = ContinuousClock.now + .seconds(50)

  @Test("Entries are written in order, with the metadata of logger and call")
  func order() async {
    let sink = TestSink()
    let log = DaemonLog(sink)
    var logger = log.logger("test")
    logger[metadataKey: "session"] = "3"
    logger.info("first", metadata: ["target": "iqn.2001-04.com.example:a"])
    logger.debug("not important enough")
    logger.error("second", metadata: ["session": "4"])
    #expect(await log.flush(until: soon))
    #expect(sink.messages == ["first", "second"])
    #expect(
      sink.entries.map(\.fields) == [
        [.init(key: "session", value: "3"), .init(key: "target", value: "iqn.2001-04.com.example:a")],
        [.init(key: "session", value: "4")],
      ])
  }

  @Test("The level can be changed for all loggers, and for one")
  func levels() async {
    let sink = TestSink()
    let log = DaemonLog(sink)
    let logger = log.logger("test")
    var quiet = log.logger("test")
    quiet.logLevel = .error
    log.level = .debug
    logger.debug("now")
    quiet.warning("not")
    #expect(await log.flush(until: soon))
    #expect(sink.messages == ["now"])
  }

  @Test("While the sink is stuck nobody waits, and what is lost is counted")
  func stuck() async {
    let gate = DispatchSemaphore(value: 0)
    let sink = TestSink(gate: gate)
    let log = DaemonLog(sink, countLimit: 4)
    let logger = log.logger("test")
    for number in 0..<10 { logger.info("message \(number)") }
    #expect(await log.flush(until: .now + .milliseconds(10)) == false)
    #expect(sink.messages == [])
    for _ in 0..<5 { gate.signal() }
    #expect(await log.flush(until: soon))
    let kept = (0..<4).map { "message \($0)" }
    // The count comes without a further message, and before one that comes later.
    #expect(await eventually { sink.messages == kept + ["6 log messages were lost"] })
    for _ in 0..<2 { gate.signal() }
    logger.info("later")
    #expect(await log.flush(until: soon))
    #expect(sink.messages.last == "later")
  }

  @Test("The count stands where the messages are missing")
  func countInPlace() async {
    let gate = DispatchSemaphore(value: 0)
    let sink = TestSink(gate: gate)
    let log = DaemonLog(sink, countLimit: 3)
    let logger = log.logger("test")
    for number in 0..<4 { logger.info("message \(number)") }
    gate.signal()
    #expect(await eventually { sink.messages.count == 1 })
    // There may be room only a moment after the sink has the message.
    var attempts = 0
    #expect(
      await eventually {
        attempts += 1
        logger.info("later")
        gate.signal()
        return sink.messages.contains("later")
      })
    for _ in 0..<20 { gate.signal() }
    let lost = sink.messages.firstIndex { $0.hasSuffix("lost") }
    let later = sink.messages.firstIndex(of: "later")
    #expect(lost != nil && later != nil && (lost ?? 0) < (later ?? 0))
  }

  @Test("Octets are limited too, and no entry is larger than a part of that")
  func octets() async {
    let gate = DispatchSemaphore(value: 0)
    let sink = TestSink(gate: gate)
    let log = DaemonLog(sink)
    let logger = log.logger("test")
    let long = String(repeating: "ä", count: 100_000)
    for _ in 0..<100 { logger.info("\(long)", metadata: ["text": "\(long)"]) }
    for _ in 0..<200 { gate.signal() }
    #expect(await log.flush(until: soon))
    #expect(sink.entries.allSatisfy { $0.message.utf8.count <= LogEntry.messageLimit })
    #expect(sink.entries.first?.message.hasSuffix("ä...") == true)
    #expect(sink.entries.first?.fields.first?.value.utf8.count ?? 0 <= LogEntry.valueLimit)
    #expect(sink.entries.reduce(0) { $0 + $1.size } <= DaemonLog.octetLimit + 200)
    #expect(await eventually { sink.messages.last?.hasSuffix("log messages were lost") == true })
  }

  @Test("What a broken sink lost is told when it works again")
  func broken() async {
    let sink = TestSink()
    let log = DaemonLog(sink)
    let logger = log.logger("test")
    sink.isBroken = true
    logger.info("lost")
    #expect(await log.flush(until: soon))
    sink.isBroken = false
    logger.info("later")
    #expect(await eventually { sink.messages == ["later", "1 log message was lost"] })
  }

  @Test("What is logged before the log is given up is written")
  func end() async {
    let sink = TestSink()
    do {
      let log = DaemonLog(sink)
      log.logger("test").info("last")
    }
    #expect(await eventually { sink.messages == ["last"] })
  }

  @Test("Fields of the journal cannot be forged, whatever a target sends")
  func journalFields() {
    let entry = LogEntry(
      .warning, "two\nPRIORITY=0", [.init(key: "target-Näme", value: "a=b"), .init(key: "text", value: "x\n")])
    let expected: [UInt8] =
      Array("MESSAGE\n".utf8) + [14, 0, 0, 0, 0, 0, 0, 0] + Array("two\nPRIORITY=0\n".utf8)
      + Array("PRIORITY=4\nSYSLOG_IDENTIFIER=iscsi-admin\nISCSI_TARGET_N__ME=a=b\nISCSI_TEXT\n".utf8)
      + [2, 0, 0, 0, 0, 0, 0, 0] + Array("x\n\n".utf8)
    #expect(entry.journalFields(identifier: "iscsi-admin", delay: .zero) == expected)
    let delayed = LogEntry(.info, "x").journalFields(identifier: "i", delay: .seconds(90))
    #expect(String(decoding: delayed, as: UTF8.self).hasSuffix("ISCSI_DELAY_USEC=90000000\n"))
  }

  @Test("A line on a terminal is one line and has no control characters")
  func line() {
    let entry = LogEntry(.error, "bad\u{1B}[2J\ntext", [.init(key: "session", value: "3")])
    #expect(entry.line(identifier: "iscsi-admin") == "iscsi-admin: error: bad\\u{1B}[2J\\ntext\n")
    #expect(LogEntry(.info, "größe").line(identifier: "iscsid") == "iscsid: größe\n")
  }

  @Test("A journal gets datagrams; without one the other sink is used, and a new journal is found")
  func journal() throws {
    let path = "/tmp/iscsikit-journal-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
    let other = TestSink()
    let sink = JournalSink(identifier: "iscsi-admin", path: path, otherwise: other)
    let first = sink.write(LogEntry(.info, "no journal"))
    #expect(first)
    #expect(other.messages == ["no journal"])

    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    defer { close(descriptor) }
    // The kernel copies the address; the path is only read.
    let bound = unsafe UnixAddress(path: path).withSocketAddress { unsafe bind(descriptor, $0, $1) }
    try #require(bound == 0)
    defer { _ = unsafe unlink(path) }
    let second = sink.write(LogEntry(.info, "journal"))
    #expect(second)
    #expect(other.messages.count == 1)
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = try unsafe buffer.withUnsafeMutableBytes {
      unsafe try FileDescriptor(rawValue: descriptor).read(into: $0)
    }
    let text = String(decoding: buffer.prefix(count), as: UTF8.self)
    #expect(text == "MESSAGE=journal\nPRIORITY=6\nSYSLOG_IDENTIFIER=iscsi-admin\n")
  }
}
