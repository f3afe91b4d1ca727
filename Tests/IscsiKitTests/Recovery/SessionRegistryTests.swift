// SPDX-License-Identifier: Apache-2.0
import Glibc
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("The registry of sessions")
struct SessionRegistryTests {
  @Test("A record that cannot be written any more is none: an old one would be wrong")
  func writeFails() throws {
    let place = RegistryPlace()
    let failures = Notes<Errno>()
    let registry = SessionRegistry(directory: place.directory) { failures.add($0) }
    registry.write(try RegistrySamples.record(stage: .made))
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
    let place = RegistryPlace()
    let failures = Notes<Errno>()
    let registry = SessionRegistry(directory: place.directory) { failures.add($0) }
    let session = SessionID(rawValue: 1)
    registry.write(try RegistrySamples.record())
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
    registry.write(try RegistrySamples.record())
    #expect(failures.all.count == 2)
    registry.remove(session)
    #expect(place.names == [".1.established.new"])
    _ = unsafe rmdir(name.string)
  }

  @Test("Where the files have gone, the next change makes them again")
  func filesGone() throws {
    let place = RegistryPlace()
    let registry = SessionRegistry(directory: place.directory)
    registry.write(try RegistrySamples.record())
    _ = unsafe remove(place.directory.appending("1.established").string)
    _ = unsafe rmdir(place.directory.string)
    registry.update(SessionID(rawValue: 1)) { $0.stage = .leaving }
    #expect(registry.failure == nil && place.names == ["1.leaving"])
  }

  @Test("What is written is read again, all of it", arguments: [SessionRecord.Stage.made, .established, .leaving])
  func roundTrip(stage: SessionRecord.Stage) throws {
    let place = RegistryPlace()
    let record = try RegistrySamples.record(stage: stage)
    let registry = SessionRegistry(directory: place.directory)
    registry.write(record)
    #expect(registry.failure == nil && registry.read(record.session) == record)
    let again = SessionRegistry(directory: place.directory)
    #expect(again.read(record.session) == record)
    #expect(again.read(SessionID(rawValue: 2)) == nil)
  }

  @Test("A record with as little as possible is read again")
  func least() throws {
    let place = RegistryPlace()
    let request = LoginRequest(
      initiator: try InitiatorName("iqn.2001-04.com.example:host"),
      target: try TargetName("iqn.2001-04.com.example:disk"), portal: try Portal("disk.example"))
    let record = SessionRecord(
      session: SessionID(rawValue: 4_294_967_295), request: request, isid: .random(), home: nil, owner: nil)
    SessionRegistry(directory: place.directory).write(record)
    #expect(place.names == ["4294967295.made"])
    #expect(SessionRegistry(directory: place.directory).read(record.session) == record)
  }

  @Test("A login time below a second, which only a program can ask for, does not make a record unreadable")
  func shortLogin() throws {
    let place = RegistryPlace()
    var record = try RegistrySamples.record()
    record.request.options.timeouts.login = .milliseconds(300)
    SessionRegistry(directory: place.directory).write(record)
    let read = SessionRegistry(directory: place.directory).read(record.session)
    #expect(read?.request.options.timeouts.login == .seconds(1))
  }

  @Test("Files and directories are the owner's alone")
  func modes() throws {
    let place = RegistryPlace()
    SessionRegistry(directory: place.directory).write(try RegistrySamples.record())
    #expect(place.mode(place.directory.appending("1.established")) == 0o600)
    #expect(place.mode(place.directory) == 0o700 && place.mode(place.base) == 0o700)
  }

  @Test("A file is replaced as a whole: the old one stays as it is for who reads it, and nothing else is left")
  func atomic() throws {
    let place = RegistryPlace()
    let registry = SessionRegistry(directory: place.directory)
    registry.write(try RegistrySamples.record(stage: .made))
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
    let place = RegistryPlace()
    let registry = SessionRegistry(directory: place.directory)
    registry.write(try RegistrySamples.record(stage: .made))
    try place.write(Array("kept".utf8), as: "1.made")
    for stage in [SessionRecord.Stage.established, .leaving] {
      registry.update(SessionID(rawValue: 1)) { $0.stage = stage }
      #expect(place.names == ["1.\(stage.rawValue)"])
      #expect(try place.read("1.\(stage.rawValue)") == Array("kept".utf8))
    }
  }

  @Test("Of two records of a session the one of the later stage counts, and the other goes")
  func twoStages() throws {
    let place = RegistryPlace()
    SessionRegistry(directory: place.directory).write(try RegistrySamples.record())
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
    let place = RegistryPlace()
    let record = try RegistrySamples.record()
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
    let place = RegistryPlace()
    let registry = SessionRegistry(directory: place.directory)
    registry.write(try RegistrySamples.record())
    try place.write([], as: "1.established")
    registry.update(SessionID(rawValue: 1)) { $0.stage = .established }
    #expect(try place.read("1.established") == [])
    registry.update(SessionID(rawValue: 5)) { $0.stage = .leaving }
    #expect(place.names == ["1.established"])
  }

  @Test("Damaged and oversized files are passed over, and the good ones read")
  func damaged() throws {
    let place = RegistryPlace()
    SessionRegistry(directory: place.directory).write(try RegistrySamples.record())
    let good = try place.read("1.established")
    let text = String(decoding: good, as: UTF8.self)
    let blanks = Array(repeating: UInt8(ascii: " "), count: 70_000)
    let bad: [[UInt8]] = [
      [], Array("{}".utf8), Array("null".utf8), Array("[1]".utf8), [0xFF, 0xFE], Array(repeating: 0, count: 4096),
      Array(repeating: UInt8(ascii: "["), count: 60_000), Array(good.dropLast()), good + Array("x".utf8), blanks + good,
      Array(text.replacing("isid", with: "isit").utf8),
      Array(text.replacing("iqn.2001-04.com.example:disk", with: "../disk").utf8),
    ]
    for (index, octets) in bad.enumerated() { try place.write(octets, as: "\(index + 10).made") }
    let registry = SessionRegistry(directory: place.directory)
    #expect(registry.read(SessionID(rawValue: 1)) != nil)
    for index in bad.indices { #expect(registry.read(SessionID(rawValue: UInt32(index + 10))) == nil, "\(index)") }
  }

  @Test("A file that is cut is none, and one with a changed bit is a record or none")
  func fuzzed() throws {
    let place = RegistryPlace()
    SessionRegistry(directory: place.directory).write(try RegistrySamples.record())
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
    let place = RegistryPlace()
    SessionRegistry(directory: place.directory).write(try RegistrySamples.record())
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
    let place = RegistryPlace()
    let registry = SessionRegistry(directory: place.directory)
    for number in 1...5 { registry.write(try RegistrySamples.record(UInt32(number))) }
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
    registry.write(try RegistrySamples.record())
    #expect(registry.failure == .notDirectory)
    #expect(try registry.read(SessionID(rawValue: 1)) == RegistrySamples.record())
    let memory = SessionRegistry()
    memory.write(try RegistrySamples.record())
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
