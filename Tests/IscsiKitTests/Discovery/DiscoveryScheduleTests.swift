// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import IscsiKit

@Suite("When discoveries are repeated")
struct DiscoveryScheduleTests {
  private let start = ContinuousClock.now

  private func record(_ host: String = "10.0.0.1", every interval: Int32 = 30, isRepeated: Bool = true) throws
    -> DiscoveryRecord
  {
    var record = DiscoveryRecord(.sendTargets, at: try PortalHost(host), port: 3260)
    record.isRepeated = isRepeated
    record.pollInterval = interval
    return record
  }

  /// The value under test where expectations can change it.
  private final class Schedule {
    private var value = DiscoverySchedule()
    var keys: Set<DiscoverySchedule.Key> { value.keys }
    var nextStart: ContinuousClock.Instant? { value.nextStart }
    func start(at now: ContinuousClock.Instant) -> [DiscoverySchedule.Run] { value.start(at: now) }
    func isCurrent(_ run: DiscoverySchedule.Run) -> Bool { value.isCurrent(run) }
    func remove(_ run: DiscoverySchedule.Run) -> Bool { value.remove(run) }
    func end(_ run: DiscoverySchedule.Run, _ ending: DiscoverySchedule.Ending, at now: ContinuousClock.Instant) {
      value.end(run, ending, at: now)
    }
    @discardableResult
    func update(
      _ records: [DiscoveryRecord], isComplete: Bool, at now: ContinuousClock.Instant
    ) -> Set<DiscoverySchedule.Key> {
      value.update(records, isComplete: isComplete, at: now)
    }
  }

  private func schedule(_ records: [DiscoveryRecord]) -> Schedule {
    let schedule = Schedule()
    schedule.update(records, isComplete: true, at: start)
    return schedule
  }

  @Test("A new record is due at once, and one that is not to be repeated never")
  func new() throws {
    let wanted = try record()
    let schedule = schedule([wanted, try record("10.0.0.2", isRepeated: false)])
    #expect(schedule.nextStart == start)
    #expect(schedule.start(at: start).map(\.key) == [.init(wanted)])
    #expect(schedule.start(at: start + .seconds(1000)) == [], "it runs")
    #expect(schedule.nextStart == nil)
  }

  @Test(
    "The next one is due when the interval has passed since the end, and after a failure at most half a minute later",
    arguments: [
      (30, DiscoverySchedule.Ending.answered, 30), (1, .answered, 1), (3600, .answered, 3600), (0, .answered, nil),
      (-1, .answered, nil), (30, .failed, 30), (1, .failed, 1), (3600, .failed, 30), (0, .failed, 30),
      (-1, .failed, 30),
    ] as [(Int32, DiscoverySchedule.Ending, Int64?)])
  func intervals(_ interval: Int32, _ ending: DiscoverySchedule.Ending, _ pause: Int64?) throws {
    let wanted = try record(every: interval)
    let schedule = schedule([wanted])
    let run = try #require(schedule.start(at: start).first)
    let end = start + .seconds(7)
    schedule.end(run, ending, at: end)
    #expect(schedule.nextStart == pause.map { end + .seconds($0) })
    guard let pause else {
      // Once is once, also when the records are read again.
      schedule.update([wanted], isComplete: true, at: end)
      #expect(schedule.nextStart == nil)
      return
    }
    #expect(schedule.start(at: end + .seconds(pause) - .milliseconds(1)) == [])
    #expect(schedule.start(at: end + .seconds(pause)) == [run])
  }

  @Test("A record that is gone, or that says No, ends it; what cannot be read does not")
  func gone() throws {
    let (one, two) = (try record(), try record("10.0.0.2"))
    let schedule = schedule([one, two])
    let runs = schedule.start(at: start)
    #expect(schedule.update([], isComplete: false, at: start) == [])
    #expect(schedule.keys == [.init(one), .init(two)])
    let off = try record(isRepeated: false)
    #expect(schedule.update([off], isComplete: false, at: start) == [.init(one)])
    #expect(schedule.update([off], isComplete: true, at: start) == [.init(two)])
    #expect(schedule.keys.isEmpty && schedule.start(at: start) == [])
    // One that ran meanwhile does not come back by its end.
    for run in runs { schedule.end(run, .answered, at: start) }
    #expect(schedule.nextStart == nil)
  }

  @Test("The late end of one that was switched off and on again is none of the new one")
  func generations() throws {
    let one = try record()
    let schedule = schedule([one])
    let former = try #require(schedule.start(at: start).first)
    schedule.update([try record(isRepeated: false)], isComplete: true, at: start)
    schedule.update([one], isComplete: true, at: start)
    #expect(!schedule.isCurrent(former))
    let latter = try #require(schedule.start(at: start).first)
    #expect(latter.key == former.key && schedule.isCurrent(latter))
    schedule.end(former, .failed, at: start)
    #expect(!schedule.remove(former) && schedule.nextStart == nil, "the new one still runs")
    schedule.end(latter, .answered, at: start)
    #expect(schedule.nextStart == start + .seconds(30))
  }

  @Test("A record that says No when it is looked at is taken away once")
  func removed() throws {
    let one = try record()
    let schedule = schedule([one])
    let run = try #require(schedule.start(at: start).first)
    #expect(schedule.remove(run))
    #expect(!schedule.remove(run))
  }

  @Test("Another interval counts from when it is known, and may make due what was over")
  func changed() throws {
    let schedule = schedule([try record(every: 3600)])
    let run = try #require(schedule.start(at: start).first)
    schedule.end(run, .answered, at: start)
    schedule.update([try record(every: 10)], isComplete: true, at: start + .seconds(5))
    #expect(schedule.nextStart == start + .seconds(15))
    #expect(schedule.start(at: start + .seconds(15)) == [run])
    schedule.update([try record(every: 0)], isComplete: true, at: start + .seconds(15))
    schedule.end(run, .answered, at: start + .seconds(16))
    #expect(schedule.nextStart == nil)
    schedule.update([try record(every: 20)], isComplete: true, at: start + .seconds(100))
    #expect(schedule.nextStart == start + .seconds(120))
  }

  @Test("No more run at a time than may, the longest due first")
  func bounds() throws {
    let records = try (0..<20).map { try record("10.0.0.\($0)") }
    let schedule = schedule(records)
    let first = schedule.start(at: start)
    #expect(first.count == DiscoverySchedule.concurrency)
    #expect(schedule.start(at: start) == [] && schedule.nextStart == nil)
    for run in first { schedule.end(run, .answered, at: start) }
    let second = schedule.start(at: start + .seconds(30))
    #expect(second.count == DiscoverySchedule.concurrency && Set(second).isDisjoint(with: first))
  }
}
