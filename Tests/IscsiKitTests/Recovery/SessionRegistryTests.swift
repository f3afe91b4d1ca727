// SPDX-License-Identifier: Apache-2.0
import Glibc
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("The registry of sessions")
struct SessionRegistryTests {
  /// A directory of its own, whose `sessions` the registry makes.
  private final class Place {
    let base = FilePath("/tmp/iscsikit-\(getpid())-\(UInt64.random(in: 0...UInt64.max))")
    var directory: FilePath { base.appending("sessions") }
    var names: [String] { (try? SysfsDirectory(path: directory).names()) ?? [] }

    deinit {
      // The strings are lent to the calls.
      for name in names { _ = unsafe remove(directory.appending(name).string) }
      for path in [directory, base] { _ = unsafe rmdir(path.string) }
    }

    func write(_ octets: [UInt8], as name: String, mode: UInt32 = 0o600) throws {
      let path = directory.appending(name)
      let file = try FileDescriptor.open(
        path, .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
      try file.closeAfter {
        _ = try file.writeAll(octets)
        try #require(fchmod(file.rawValue, mode) == 0)
      }
    }

    func read(_ name: String) throws -> [UInt8] {
      try FileContents(of: directory.appending(name), limit: 1 << 20).octets
    }

    func mode(_ path: FilePath) -> UInt32 {
      var status = stat()
      // The kernel fills the structure; the string is lent to the call.
      return unsafe lstat(path.string, &status) == 0 ? status.st_mode & 0o7777 : 0
    }
  }

  /// A request in which nothing that can be described is as by default.
  private func fullRequest() throws -> LoginRequest {
    var request = LoginRequest(
      initiator: try InitiatorName("iqn.2001-04.com.example:host"),
      target: try TargetName("iqn.2001-04.com.example:disk"), portal: try Portal("[2001:db8::1]:3261,7"))
    request.options.authentication = try TestAccounts.authentication(mutual: true, [.sha256, .md5])
    request.options.interfaceName = "iface0"
    request.options.binding = .hardwareAddress(try #require(HardwareAddress("02:00:00:00:00:01")))
    request.options.timeouts = .unusual
    request.options.operational = .unusual
    request.options.maxCommands = 256
    request.options.queueDepth = 64
    request.options.fastAbort = false
    request.options.scan = .only([LUN(linuxNumber: 1), LUN(linuxNumber: 0x4100)])
    request.options.recoveryLimit = 9
    request.options.sessionCount = 3
    return request
  }

  private func record(_ number: UInt32 = 1, stage: SessionRecord.Stage = .established) throws -> SessionRecord {
    let owner = SessionOwner(userID: 4, processID: 77, label: "a \"label\"\n", time: 1.5)
    return SessionRecord(
      session: SessionID(rawValue: number), request: try fullRequest(), isid: ISID(session: SessionID(rawValue: 99)),
      stage: stage, home: try Portal("192.0.2.9:3262,2"),
      due: TimeoutSettings([.replacement: .off, .abort: 7]), areNOPsIdle: true, outage: outage(.kernel(.noopTimedOut)),
      owner: owner)
  }

  private static let began = ContinuousClock.now - .seconds(77)

  private func outage(_ cause: LossCause, _ finding: LinkCause? = .noCarrier(nil)) -> Outage {
    var outage = Outage(
      cause: cause, network: finding.map { NetworkFinding(device: "eth\"0", cause: $0) }, since: Self.began)
    (outage.attempts, outage.replacementTimeout) = (12, 120)
    outage.holdEnd = Self.began + .seconds(90)
    return outage
  }

  @Test("A record that cannot be written any more is none: an old one would be wrong")
  func writeFails() throws {
    let place = Place()
    let failures = Notes<Errno>()
    let registry = SessionRegistry(directory: place.directory) { failures.add($0) }
    registry.write(try record(stage: .made))
    #expect(place.names == ["1.made"])
    // The places of the next are taken by what cannot be replaced.
    let names = ["1.established", "1.leaving"].map { place.directory.appending($0).string }
    for name in names {
      let made = unsafe mkdir(name, 0o700)
      #expect(made == 0)
    }
    for stage in [SessionRecord.Stage.established, .leaving] {
      registry.update(SessionID(rawValue: 1)) { $0.stage = stage }
    }
    #expect(failures.all.count == 1 && registry.failure != nil)
    #expect(SessionRegistry(directory: place.directory).read(SessionID(rawValue: 1)) == nil)
    #expect(registry.read(SessionID(rawValue: 1))?.stage == .leaving)
    // As soon as there is room it is written.
    for name in names { _ = unsafe rmdir(name) }
    registry.saveAgain()
    #expect(place.names == ["1.leaving"])
    #expect(SessionRegistry(directory: place.directory).read(SessionID(rawValue: 1))?.stage == .leaving)
    #expect(registry.failure == nil)
  }

  @Test("A change that cannot be written stays due, whatever else is: an old stage with it, and at the end no file")
  func changeFails() throws {
    let place = Place()
    let failures = Notes<Errno>()
    let registry = SessionRegistry(directory: place.directory) { failures.add($0) }
    let session = SessionID(rawValue: 1)
    registry.write(try record())
    // No file of this name can be made.
    let name = place.directory.appending(".1.established.new")
    let made = unsafe mkdir(name.string, 0o700)
    #expect(made == 0)
    registry.update(session) { $0.home = nil }
    #expect(failures.all.count == 1 && place.names.sorted() == [".1.established.new", "1.established"])
    // With a new stage the whole record is written, and not the old one renamed.
    registry.update(session) { $0.stage = .leaving }
    #expect(place.names.sorted() == [".1.established.new", "1.leaving"])
    let read = SessionRegistry(directory: place.directory).read(session)
    #expect(read?.stage == .leaving && read?.home == nil)
    registry.write(try record())
    #expect(failures.all.count == 2)
    registry.remove(session)
    #expect(place.names == [".1.established.new"])
    _ = unsafe rmdir(name.string)
  }

  @Test("Where the files have gone, the next change makes them again")
  func filesGone() throws {
    let place = Place()
    let registry = SessionRegistry(directory: place.directory)
    registry.write(try record())
    _ = unsafe remove(place.directory.appending("1.established").string)
    _ = unsafe rmdir(place.directory.string)
    registry.update(SessionID(rawValue: 1)) { $0.stage = .leaving }
    #expect(registry.failure == nil && place.names == ["1.leaving"])
  }

  @Test("What is written is read again, all of it", arguments: [SessionRecord.Stage.made, .established, .leaving])
  func roundTrip(stage: SessionRecord.Stage) throws {
    let place = Place()
    let record = try record(stage: stage)
    let registry = SessionRegistry(directory: place.directory)
    registry.write(record)
    #expect(registry.failure == nil && registry.read(record.session) == record)
    let again = SessionRegistry(directory: place.directory)
    #expect(again.read(record.session) == record)
    #expect(again.read(SessionID(rawValue: 2)) == nil)
  }

  @Test("A record with as little as possible is read again")
  func least() throws {
    let place = Place()
    let request = LoginRequest(
      initiator: try InitiatorName("iqn.2001-04.com.example:host"),
      target: try TargetName("iqn.2001-04.com.example:disk"), portal: try Portal("disk.example"))
    let record = SessionRecord(
      session: SessionID(rawValue: 4_294_967_295), request: request, isid: .random(), home: nil, owner: nil)
    SessionRegistry(directory: place.directory).write(record)
    #expect(place.names == ["4294967295.made"])
    #expect(SessionRegistry(directory: place.directory).read(record.session) == record)
  }

  @Test(
    "Whatever is known of an outage is read again, its moment to the nanosecond",
    arguments: [
      (.kernel(.connectionClosed), nil), (.kernel(KernelErrorCode(rawValue: .max)), .noSuchDevice),
      (.message(.sessionDropped), .administrativelyDown), (.foundFailed, .noCarrier(LinkFault(state: "no cable"))),
      (.unseen, .noCarrier(LinkFault(state: "autoneg", detail: "no partner detected"))), (.unseen, .up),
    ] as [(LossCause, LinkCause?)])
  func outages(cause: LossCause, finding: LinkCause?) throws {
    let place = Place()
    var record = try record()
    record.outage = outage(cause, finding)
    SessionRegistry(directory: place.directory).write(record)
    #expect(SessionRegistry(directory: place.directory).read(record.session) == record)
    (record.outage?.replacementTimeout, record.outage?.holdEnd) = (nil, nil)
    SessionRegistry(directory: place.directory).write(record)
    #expect(SessionRegistry(directory: place.directory).read(record.session) == record)
  }

  @Test("A record of a version that knows no outages is read, and so is one of a version that knows more of them")
  func otherVersions() throws {
    let place = Place()
    var record = try record()
    SessionRegistry(directory: place.directory).write(record)
    let text = String(decoding: try place.read("1.established"), as: UTF8.self)
    let unknown = text.replacing("\"cause\":\"kernel\"", with: "\"cause\":\"weather\",\"rain\":3")
    try #require(unknown != text)
    try place.write(Array(unknown.utf8), as: "1.established")
    record.outage = nil
    #expect(SessionRegistry(directory: place.directory).read(record.session) == record)
    SessionRegistry(directory: place.directory).write(record)
    let without = String(decoding: try place.read("1.established"), as: UTF8.self)
    #expect(!without.contains("outage"))
    try place.write(Array(without.replacing("\"isid\":", with: "\"later\":[1],\"isid\":").utf8), as: "1.established")
    #expect(SessionRegistry(directory: place.directory).read(record.session) == record)
  }

  @Test("Numbers of an outage that nobody can have counted do no harm")
  func strangeNumbers() throws {
    let place = Place()
    SessionRegistry(directory: place.directory).write(try record())
    let text = String(decoding: try place.read("1.established"), as: UTF8.self)
    for (number, attempts) in [(Int64.max, Int(Int32.max)), (.min, 0)] {
      let strange = text.replacing("\"attempts\":12", with: "\"attempts\":\(number)")
      try #require(strange != text)
      try place.write(Array(strange.utf8), as: "1.established")
      let outage = SessionRegistry(directory: place.directory).read(SessionID(rawValue: 1))?.outage
      #expect(outage?.attempts == attempts)
    }
  }

  @Test("A long outage is written when something is found out about it, and seldom for its attempts")
  func attempts() throws {
    let place = Place()
    let registry = SessionRegistry(directory: place.directory)
    registry.write(try record())
    let session = SessionID(rawValue: 1)
    var supervision = Supervision(portal: MachineHarness.home)
    var outage = Outage(cause: .unseen, since: .now)
    var written: [Int] = []
    /// Notes the outage; whether a file is written for it.
    func isWritten() throws -> Bool {
      try place.write([], as: "1.established")
      supervision.outage = outage
      registry.update(session) { $0.note(.adopted, supervision) }
      return try place.read("1.established") != []
    }
    #expect(try isWritten())
    for number in 1...50 {
      outage.attempts = number
      outage.nextAttempt = .now
      outage.lastFailure = FailedAttempt(
        number: number, portal: MachineHarness.home, cause: .transport(.refused), time: .now)
      if try isWritten() { written.append(number) }
      #expect(registry.read(session)?.outage?.attempts == written.last)
    }
    #expect(written == [1, 2, 4, 8, 16, 26, 36, 46])
    outage.network = NetworkFinding(device: "eth0", cause: .noCarrier(nil))
    #expect(try isWritten())
    outage.replacementTimeout = 5
    #expect(try isWritten() && isWritten() == false)
    // The next outage is another one, also if it is noted before the end of this one.
    outage = Outage(cause: .unseen, since: .now)
    #expect(try isWritten() && registry.read(session)?.outage == outage)
    supervision.outage = nil
    registry.update(session) { $0.note(.recovered(outage), supervision) }
    #expect(registry.read(session)?.outage == nil)
  }

  @Test("A login time below a second, which only a program can ask for, does not make a record unreadable")
  func shortLogin() throws {
    let place = Place()
    var record = try record()
    record.request.options.timeouts.login = .milliseconds(300)
    SessionRegistry(directory: place.directory).write(record)
    let read = SessionRegistry(directory: place.directory).read(record.session)
    #expect(read?.request.options.timeouts.login == .seconds(1))
  }

  @Test("Files and directories are the owner's alone")
  func modes() throws {
    let place = Place()
    SessionRegistry(directory: place.directory).write(try record())
    #expect(place.mode(place.directory.appending("1.established")) == 0o600)
    #expect(place.mode(place.directory) == 0o700 && place.mode(place.base) == 0o700)
  }

  @Test("A file is replaced as a whole: the old one stays as it is for who reads it, and nothing else is left")
  func atomic() throws {
    let place = Place()
    let registry = SessionRegistry(directory: place.directory)
    registry.write(try record(stage: .made))
    let old = try FileDescriptor.open(place.directory.appending("1.made"), .readOnly)
    defer { try? old.close() }
    let before = try place.read("1.made")
    registry.update(SessionID(rawValue: 1)) { $0.home = nil }
    #expect(try place.read("1.made") != before)
    registry.update(SessionID(rawValue: 1)) {
      $0.home = nil
      $0.stage = .leaving
    }
    #expect(try FileContents(of: old, limit: 1 << 20).octets == before)
    #expect(place.names == ["1.leaving"])
  }

  @Test("A stage is told by the name alone: nothing is written for it")
  func renamed() throws {
    let place = Place()
    let registry = SessionRegistry(directory: place.directory)
    registry.write(try record(stage: .made))
    try place.write(Array("kept".utf8), as: "1.made")
    for stage in [SessionRecord.Stage.established, .leaving] {
      registry.update(SessionID(rawValue: 1)) { $0.stage = stage }
      #expect(place.names == ["1.\(stage.rawValue)"])
      #expect(try place.read("1.\(stage.rawValue)") == Array("kept".utf8))
    }
  }

  @Test("Of two records of a session the one of the later stage counts, and the other goes")
  func twoStages() throws {
    let place = Place()
    SessionRegistry(directory: place.directory).write(try record())
    try place.write(place.read("1.established"), as: "1.made")
    let registry = SessionRegistry(directory: place.directory)
    #expect(registry.read(SessionID(rawValue: 1))?.stage == .established)
    #expect(place.names == ["1.established"])
    // One that cannot be read does not count.
    try place.write([], as: "1.leaving")
    #expect(SessionRegistry(directory: place.directory).read(SessionID(rawValue: 1))?.stage == .established)
  }

  @Test("What a writer that died has left is neither read nor in the way")
  func temporary() throws {
    let place = Place()
    let record = try record()
    SessionRegistry(directory: place.directory).write(record)
    let octets = try place.read("1.established")
    try place.write(octets, as: ".2.established.new")
    try place.write(Array(octets.prefix(20)), as: ".1.leaving.new")
    let registry = SessionRegistry(directory: place.directory)
    #expect(registry.read(record.session) == record && registry.read(SessionID(rawValue: 2)) == nil)
    // They have secrets.
    #expect(place.names == ["1.established"])
    try place.write([], as: ".1.leaving.new")
    registry.update(record.session) {
      $0.stage = .leaving
      $0.home = nil
    }
    #expect(registry.failure == nil && place.names == ["1.leaving"])
    #expect(SessionRegistry(directory: place.directory).read(record.session)?.stage == .leaving)
  }

  @Test("A change that changes nothing writes nothing")
  func noChange() throws {
    let place = Place()
    let registry = SessionRegistry(directory: place.directory)
    registry.write(try record())
    try place.write([], as: "1.established")
    registry.update(SessionID(rawValue: 1)) { $0.stage = .established }
    #expect(try place.read("1.established") == [])
    registry.update(SessionID(rawValue: 5)) { $0.stage = .leaving }
    #expect(place.names == ["1.established"])
  }

  @Test("Damaged and oversized files are passed over, and the good ones read")
  func damaged() throws {
    let place = Place()
    SessionRegistry(directory: place.directory).write(try record())
    let good = try place.read("1.established")
    let text = String(decoding: good, as: UTF8.self)
    let blanks = Array(repeating: UInt8(ascii: " "), count: 70_000)
    let bad: [[UInt8]] = [
      [], Array("{}".utf8), Array("null".utf8), Array("[1]".utf8), [0xFF, 0xFE], Array(repeating: 0, count: 4096),
      Array(repeating: UInt8(ascii: "["), count: 60_000), Array(good.dropLast()), good + Array("x".utf8), blanks + good,
      Array(text.replacing("isid", with: "isit").utf8),
      Array(text.replacing("iqn.2001-04.com.example:disk", with: "disk").utf8),
    ]
    for (index, octets) in bad.enumerated() { try place.write(octets, as: "\(index + 10).made") }
    let registry = SessionRegistry(directory: place.directory)
    #expect(registry.read(SessionID(rawValue: 1)) != nil)
    for index in bad.indices { #expect(registry.read(SessionID(rawValue: UInt32(index + 10))) == nil, "\(index)") }
  }

  @Test("A file that is cut is none, and one with a changed bit is a record or none")
  func fuzzed() throws {
    let place = Place()
    SessionRegistry(directory: place.directory).write(try record())
    let good = try place.read("1.established")
    for index in stride(from: 0, to: good.count, by: 7) {
      var octets = good
      octets[index] ^= UInt8(1 << (index % 8))
      try place.write(octets, as: "1.established")
      _ = SessionRegistry(directory: place.directory)
      try place.write(Array(good.prefix(index)), as: "1.established")
      #expect(SessionRegistry(directory: place.directory).read(SessionID(rawValue: 1)) == nil)
    }
  }

  @Test("Files of other names, links, FIFOs, directories and files that others can read are passed over")
  func strange() throws {
    let place = Place()
    SessionRegistry(directory: place.directory).write(try record())
    let good = try place.read("1.established")
    for name in [
      "01.made", "+2.made", "-3.made", "4 .made", "five.made", "4294967296.made", "0x6.made", "٧.made", ".made", "8",
      "9.", "10.gone", "11.Made", "12made", "13.made.made", "14.leaving ",
    ] {
      try place.write(good, as: name)
    }
    try place.write(good, as: "20.established", mode: 0o604)
    try place.write(good, as: "21.established", mode: 0o640)
    let path = { (name: String) in place.directory.appending(name).string }
    // The strings are lent to the calls.
    let isMade =
      unsafe symlink("1.established", path("22.made")) == 0 && mkfifo(path("23.made"), 0o600) == 0
      && mkdir(path("24.made"), 0o700) == 0
    try #require(isMade)
    let registry = SessionRegistry(directory: place.directory)
    for number in Array(2...14) + [20, 22, 23, 24] as [UInt32] {
      #expect(registry.read(SessionID(rawValue: number)) == nil, "\(number)")
    }
    #expect(registry.read(SessionID(rawValue: 21)) != nil)
    // What counts for session 1 is the file of its very number, so that a removal removes it.
    registry.remove(SessionID(rawValue: 1))
    #expect(SessionRegistry(directory: place.directory).read(SessionID(rawValue: 1)) == nil)
  }

  @Test("What is removed is gone, with its file; what is unknown is not")
  func removal() throws {
    let place = Place()
    let registry = SessionRegistry(directory: place.directory)
    for number in 1...5 { registry.write(try record(UInt32(number))) }
    registry.remove(SessionID(rawValue: 3))
    registry.remove(SessionID(rawValue: 9))
    #expect(place.names.sorted() == ["1", "2", "4", "5"].map { $0 + ".established" })
    let kept = [1, 5, 7].map { SessionID(rawValue: $0) }
    for session in registry.sessions where !kept.contains(session) { registry.remove(session) }
    #expect(place.names.sorted() == ["1.established", "5.established"])
    #expect(registry.read(SessionID(rawValue: 4)) == nil && registry.read(SessionID(rawValue: 5)) != nil)
  }

  @Test("Where nothing can be written, records live as long as the registry, and the reason is told")
  func unwritable() throws {
    // The path leads through a file.
    let file = try TemporaryFile("")
    let registry = SessionRegistry(directory: file.path.appending("sessions"))
    #expect(registry.failure == nil)
    registry.write(try record())
    #expect(registry.failure == .notDirectory)
    #expect(try registry.read(SessionID(rawValue: 1)) == record())
    let memory = SessionRegistry()
    memory.write(try record())
    #expect(memory.failure == nil && memory.read(SessionID(rawValue: 1)) != nil)
  }
}

extension SessionTimeouts {
  /// Timeouts of which none is as by default.
  static var unusual: SessionTimeouts {
    var timeouts = SessionTimeouts()
    timeouts.replacement = nil
    timeouts.abort = .seconds(16)
    timeouts.luReset = .seconds(31)
    timeouts.targetReset = .seconds(32)
    timeouts.noopInterval = .seconds(6)
    timeouts.noopTimeout = .seconds(7)
    timeouts.login = .seconds(17)
    timeouts.loginRetryWindow = .seconds(18)
    return timeouts
  }
}

extension OperationalParameters {
  /// Parameters of which none that can be described is as by default.
  static var unusual: OperationalParameters {
    var operational = OperationalParameters()
    operational.headerDigest = [.crc32c, .none]
    operational.dataDigest = [.crc32c]
    operational.initialR2T = true
    operational.immediateData = false
    operational.firstBurstLength = 65_536
    operational.maxBurstLength = 262_144
    operational.maxRecvDataSegmentLength = 8192
    operational.maxXmitDataSegmentLength = 4096
    operational.maxOutstandingR2T = 4
    return operational
  }
}
