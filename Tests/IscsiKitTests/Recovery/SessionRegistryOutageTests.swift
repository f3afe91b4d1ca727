// SPDX-License-Identifier: Apache-2.0
import Glibc
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("An outage in the registry of sessions")
struct SessionRegistryOutageTests {
  @Test(
    "Whatever is known of an outage is read again, its moment to the nanosecond",
    arguments: [
      (.kernel(.connectionClosed), nil), (.kernel(KernelErrorCode(rawValue: .max)), .noSuchDevice),
      (.message(.sessionDropped), .administrativelyDown), (.foundFailed, .noCarrier(LinkFault(state: "no cable"))),
      (.unseen, .noCarrier(LinkFault(state: "autoneg", detail: "no partner detected"))), (.unseen, .up),
    ] as [(LossCause, LinkCause?)])
  func outages(cause: LossCause, finding: LinkCause?) throws {
    let place = RegistryPlace()
    var record = try RegistrySamples.record()
    record.outage = RegistrySamples.outage(cause, finding)
    SessionRegistry(directory: place.directory).write(record)
    #expect(SessionRegistry(directory: place.directory).read(record.session) == record)
    record.outage?.replacementTimeout = nil
    record.outage?.holdEnd = nil
    SessionRegistry(directory: place.directory).write(record)
    #expect(SessionRegistry(directory: place.directory).read(record.session) == record)
  }

  @Test("What another version writes in another form costs itself and nothing else", arguments: ["outage", "due"])
  func otherForm(field: String) throws {
    let place = RegistryPlace()
    var record = try RegistrySamples.record()
    SessionRegistry(directory: place.directory).write(record)
    let text = String(decoding: try place.read("1.established"), as: UTF8.self)
    let other = text.replacing("\"\(field)\":{", with: "\"\(field)\":[],\"other\":{")
    try #require(other != text)
    try place.write(Array(other.utf8), as: "1.established")
    if field == "outage" { record.outage = nil } else { record.due = TimeoutSettings([:], resetsScheduler: true) }
    #expect(SessionRegistry(directory: place.directory).read(record.session) == record)
  }

  @Test("Changes of one record that many make at once are all made")
  func concurrentChanges() async throws {
    let place = RegistryPlace()
    let registry = SessionRegistry(directory: place.directory)
    var record = try RegistrySamples.record()
    record.outage?.attempts = 0
    registry.write(record)
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<50 { group.addTask { registry.update(SessionID(rawValue: 1)) { $0.outage?.attempts += 1 } } }
    }
    record.outage?.attempts = 50
    #expect(SessionRegistry(directory: place.directory).read(record.session) == record)
  }

  @Test("A record of a version that knows no outages is read, and so is one of a version that knows more of them")
  func otherVersions() throws {
    let place = RegistryPlace()
    var record = try RegistrySamples.record()
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
    let place = RegistryPlace()
    SessionRegistry(directory: place.directory).write(try RegistrySamples.record())
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
    let place = RegistryPlace()
    let registry = SessionRegistry(directory: place.directory)
    registry.write(try RegistrySamples.record())
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
}
