// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import IscsiKit

@Suite("The log of events", .timeLimit(.minutes(1)))
struct EventLogTests {
  private func event(_ number: Int) throws -> SessionEvent {
    SessionEvent(
      .adopted, session: SessionID(rawValue: UInt32(number)), target: "iqn.x", portal: try Portal("192.0.2.1:3260"))
  }

  private func post(_ numbers: ClosedRange<Int>, to log: EventLog) throws {
    for number in numbers { log.post(try event(number)) }
  }

  /// The numbers of the next events, each of which must be about the session of its number.
  private func take(_ count: Int, _ events: AsyncStream<SessionEvent>) async -> [UInt64] {
    var sequences: [UInt64] = []
    for await event in events {
      #expect(event.session?.rawValue == UInt32(event.sequence))
      sequences.append(event.sequence)
      if sequences.count == count { break }
    }
    return sequences
  }

  @Test("Events are numbered from 1, and a reader gets those behind the number that it knows")
  func numbers() async throws {
    let log = EventLog(startedAt: 0)
    #expect(log.lastSequence == 0)
    try post(1...5, to: log)
    #expect(log.lastSequence == 5)
    #expect(await take(5, log.events(after: 0)) == [1, 2, 3, 4, 5])
    #expect(await take(2, log.events(after: 3)) == [4, 5])
  }

  @Test("A reader without a number gets what comes, and each reader gets all of it")
  func comers() async throws {
    let log = EventLog(startedAt: 0)
    try post(1...3, to: log)
    let (new, old) = (log.events(after: nil), log.events(after: 2))
    try post(4...5, to: log)
    #expect(await take(2, new) == [4, 5])
    #expect(await take(3, old) == [3, 4, 5])
  }

  @Test("The numbers begin with the time, so that those of the next log are greater")
  func beginning() async throws {
    let log = EventLog(startedAt: 1_795_000_000.25)
    #expect(log.firstSequence == 1_795_000_000_250_000 && log.lastSequence == log.firstSequence - 1)
    log.post(try event(1))
    #expect(log.lastSequence == log.firstSequence)
    let next = EventLog(startedAt: 1_795_000_000.251)
    #expect(next.firstSequence == log.firstSequence + 1000)
    // What no clock tells makes a number all the same, one that floating point holds.
    for time: Double in [-1, -.infinity, .nan, 0] { #expect(EventLog(startedAt: time).firstSequence == 1) }
    for time in [1e10, 1e12] { #expect(EventLog(startedAt: time).firstSequence == 1 << 52) }
    #expect(EventLog().firstSequence > next.firstSequence)
  }

  @Test("A reader is told what it misses, also if nothing has happened since")
  func missed() throws {
    let log = EventLog(startedAt: 0.001)
    #expect(log.firstSequence == 1000)
    func missed(_ known: UInt64?) -> MissedEvents? { log.read(after: known).missed }
    // Of an earlier log, or of one that was ahead when the clock was set back.
    let other = MissedEvents(last: 999, isOfOther: true, end: nil)
    for known: UInt64 in [57, 1000, .max] { #expect(missed(known) == other) }
    for known: UInt64? in [nil, 0, 999] { #expect(missed(known) == nil) }
    for _ in 0..<EventLog.capacity + 10 { log.post(try event(1)) }
    let reading = log.read(after: 1005)
    #expect(reading.start == 1009 && reading.missed?.last == 1009 && reading.missed?.isOfOther == false)
    for known: UInt64 in [57, .max] {
      let missed = try #require(missed(known))
      #expect(missed.last == 1009 && missed.isOfOther)
      // A number of the log says nothing to a reader.
      #expect(!missed.description.contains { $0.isNumber })
    }
    for known: UInt64? in [nil, 0, 1009, 1020, log.lastSequence] { #expect(missed(known) == nil) }
  }

  @Test("What is missed is told with a time that is not after that of the next event")
  func missedTime() async throws {
    let log = EventLog(startedAt: 0.001)
    log.post(try event(1))
    let reading = log.read(after: 57)
    var events = reading.events.makeAsyncIterator()
    let next = try #require(await events.next())
    #expect(InitiatorTypes.Event(try #require(reading.missed)).time == next.time)
  }

  @Test("A reader whose number is ahead of the log gets all")
  func ahead() async throws {
    let log = EventLog(startedAt: 0)
    try post(1...5, to: log)
    #expect(await take(5, log.events(after: 77)) == [1, 2, 3, 4, 5])
  }

  @Test("The last 1024 events are kept, in order: who knows less sees a gap")
  func gap() async throws {
    let log = EventLog(startedAt: 0)
    let capacity = EventLog.capacity
    try post(1...(capacity + 300), to: log)
    #expect(await take(capacity, log.events(after: 0)) == Array(301...UInt64(capacity + 300)))
    let last = Array(UInt64(capacity + 291)...UInt64(capacity + 300))
    #expect(await take(10, log.events(after: UInt64(capacity + 290))) == last)
    // To the end of the ring, and around it once more.
    try post((capacity + 301)...(3 * capacity), to: log)
    #expect(await take(capacity, log.events(after: 0)) == Array(UInt64(2 * capacity + 1)...UInt64(3 * capacity)))
  }

  @Test("A slow reader loses the oldest, and the log neither grows nor waits for it")
  func slowReader() async throws {
    let log = EventLog(startedAt: 0)
    let events = log.events(after: 0)
    try post(1...(2 * EventLog.capacity), to: log)
    let sequences = await take(EventLog.capacity, events)
    #expect(sequences == Array(UInt64(EventLog.capacity + 1)...UInt64(2 * EventLog.capacity)))
  }

  @Test("A reader that is cancelled or goes away is forgotten")
  func readers() async throws {
    let log = EventLog(startedAt: 0)
    let reading = Task { for await _ in log.events(after: nil) {} }
    #expect(await eventually { log.readerCount == 1 })
    reading.cancel()
    await reading.value
    #expect(await eventually { log.readerCount == 0 })
    _ = log.events(after: nil)
    #expect(await eventually { log.readerCount == 0 })
    try post(1...1, to: log)
    _ = await take(1, log.events(after: 0))
    #expect(await eventually { log.readerCount == 0 })
  }

  @Test("A reader that is cancelled while an event is on its way to it holds up nobody")
  func cancelledReader() async throws {
    let log = EventLog(startedAt: 0)
    let template = try event(1)
    for _ in 0..<1000 {
      let reading = Task { for await _ in log.events(after: nil) {} }
      while log.readerCount == 0 { await Task.yield() }
      async let posting: Void = log.post(template)
      reading.cancel()
      await posting
      await reading.value
      while log.readerCount > 0 { await Task.yield() }
    }
    #expect(log.lastSequence == 1000)
  }

  @Test("Events of many tasks have numbers without gaps, and readers see them in order")
  func tasks() async throws {
    let log = EventLog(startedAt: 0)
    let events = log.events(after: 0)
    let template = try event(1)
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<10 { group.addTask { for _ in 0..<50 { log.post(template) } } }
    }
    var sequences: [UInt64] = []
    for await event in events {
      sequences.append(event.sequence)
      if sequences.count == 500 { break }
    }
    #expect(sequences == Array(1...500))
  }
}

@Suite("What is told of a session's supervision")
struct SupervisionEventTests {
  private static let portal = Portal(host: .address(.v4(0xC000_0201), scope: nil))

  private func event(_ notice: SessionMachine.Notice) -> SessionEvent {
    SessionEvent(notice, session: SessionID(rawValue: 7), target: "iqn.x", portal: Self.portal)
  }

  @Test("The cause of a loss is told in words, and the kernel's with its number")
  func causes() {
    let kernel = KernelErrorCode.connectionClosed
    let told: [(LossCause, String, KernelErrorCode?)] = [
      (.kernel(kernel), "connection lost: the kernel reported \(kernel)", kernel),
      (.message(.sessionDropped), "connection lost: the target told: session dropped", nil),
      (.foundFailed, "connection lost: the connection was down when the session was found", nil),
      (.unseen, "connection lost: the connection is down; the kernel's report of it was lost", nil),
    ]
    for (cause, text, code) in told {
      let event = event(.lost(cause))
      #expect(event.kind == .lost && event.message == text && event.kernelError == code)
      let still = self.event(.stillLost(cause))
      #expect(still.kind == .lost && still.message == text.replacing("lost:", with: "still lost:"))
      #expect(still.kernelError == code)
    }
  }

  @Test("An attempt is told with its number and the time of the next")
  func attempts() throws {
    let now = ContinuousClock.now
    var failure = FailedAttempt(number: 3, portal: Self.portal, cause: .transport(.refused), time: now)
    #expect(event(.attemptFailed(failure)).attempt == 3 && event(.attemptFailed(failure)).nextAttempt == nil)
    failure.nextAttempt = now + .seconds(500)
    let next = try #require(event(.attemptFailed(failure)).nextAttempt)
    #expect(abs(next - WallClock.now - 500) < 60)
    #expect(event(.loginDelayed(failure)).kind == .loginDelayed && event(.loginDelayed(failure)).attempt == 3)
  }

  @Test("An outage that ended is told with its length and its attempts")
  func recovered() {
    let now = ContinuousClock.now
    var outage = Outage(cause: .unseen, since: now)
    (outage.end, outage.attempts) = (now + .milliseconds(1500), 4)
    let recovered = event(.recovered(outage))
    #expect(recovered.outage == .milliseconds(1500) && recovered.attempt == 4)
    #expect(recovered.message == "operational again, after 4 attempts")
    outage.attempts = 1
    #expect(event(.recovered(outage)).message == "operational again, at the first attempt")
    #expect(event(.gaveUp(outage)).attempt == 1 && event(.gaveUp(nil)).attempt == nil)
  }

  @Test("Every kind of event is told by some notice")
  func kinds() {
    let outage = Outage(cause: .unseen, since: .now)
    let failure = FailedAttempt(number: 1, portal: Self.portal, cause: .cancelled, time: .now)
    let notices: [SessionMachine.Notice] = [
      .loggedIn, .loginDelayed(failure), .loginFailed(.cancelled), .adopted, .lost(.unseen), .stillLost(.unseen),
      .diagnosed(NetworkFinding(device: "eth0", cause: .noCarrier(nil))), .networkWell("eth0"), .attemptFailed(failure),
      .recovered(outage),
      .redirected(Self.portal), .moved(Self.portal), .leaving, .messageReceived(.scsi), .gaveUp(outage),
      .loggedOut([]), .removalDelayed(disks: [], .seconds(10)), .removalFailed(.cancelled), .scanFailed(.scanTimedOut),
      .settingFailed("abort-timeout"), .silent, .answered,
      .vanished,
    ]
    #expect(Set(notices.map { event($0).kind }) == Set(SessionEvent.Kind.allCases))
    #expect(notices.allSatisfy { !event($0).message.isEmpty })
  }

  @Test("What a logout waits for is told, with the disks if they are known")
  func delays() {
    let start = "the logout waits, for 70 s already, until the target has all data of "
    #expect(event(.removalDelayed(disks: ["sda", "sdb"], .milliseconds(70_900))).message == start + "sda, sdb")
    #expect(event(.removalDelayed(disks: [], .seconds(70))).message == start + "the disks")
  }

  @Test("The problems of a logout are told")
  func problems() {
    #expect(event(.loggedOut([])).message == "logged out")
    let text = LogoutReport.Problem.notConnected.description
    #expect(event(.loggedOut([.notConnected])).message == "logged out: \(text)")
  }
}
