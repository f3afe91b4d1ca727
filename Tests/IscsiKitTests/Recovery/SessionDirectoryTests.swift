// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import IscsiKit

@Suite("The directory of sessions")
struct SessionDirectoryTests {
  private typealias Directory = SessionDirectory<Int>

  private func key(_ number: Int) throws -> SessionKey {
    SessionKey(
      LoginRequest(
        initiator: try InitiatorName("iqn.2001-04.com.example:host"),
        target: try TargetName("iqn.2001-04.com.example:disk\(number)"), portal: MachineHarness.home))
  }

  private func up() -> Supervision {
    var supervision = Supervision(portal: MachineHarness.home)
    supervision.phase = .up
    return supervision
  }

  @Test("Sessions are found by the device that they are reached through, until they move or go")
  func devices() throws {
    var directory = Directory()
    var tickets: [Directory.Ticket] = []
    for number in 1...2 {
      let ticket = directory.adopt(SessionID(rawValue: UInt32(number)), try key(number), owner: nil)
      tickets.append(try #require(ticket))
      directory.set(device: "eth0", for: tickets[number - 1])
    }
    directory.set(device: "eth0", for: tickets[0])
    #expect(directory.users(of: "eth0").count == 2 && directory.isUsed("eth0"))
    directory.set(device: "eth1", for: tickets[0])
    #expect(directory.users(of: "eth0").map(\.ticket) == [tickets[1]] && Set(directory.devices) == ["eth0", "eth1"])
    directory.release(tickets[0])
    _ = directory.forgetDevice(of: SessionID(rawValue: 2))
    #expect(!directory.isUsed("eth0") && !directory.isUsed("eth1") && directory.users(of: "eth0").isEmpty)
    // Who is gone has no device any more.
    directory.set(device: "eth1", for: tickets[0])
    #expect(!directory.isUsed("eth1"))
  }

  @Test("Those of a device that suffer from the network are told apart until they do not, move or go")
  func troubledUsers() throws {
    var directory = Directory()
    var troubled = up()
    troubled.network = NetworkFinding(device: "eth0", cause: .noCarrier(nil))
    var tickets: [Directory.Ticket] = []
    for number in 1...3 {
      let ticket = try #require(directory.adopt(SessionID(rawValue: UInt32(number)), try key(number), owner: nil))
      directory.set(number, for: ticket)
      directory.set(number == 3 ? up() : troubled, for: ticket)
      directory.set(device: "eth0", for: ticket)
      tickets.append(ticket)
    }
    #expect(Set(directory.troubledUsers(of: "eth0")) == [1, 2] && directory.troubledUsers(of: "eth1").isEmpty)
    directory.set(up(), for: tickets[0])
    #expect(directory.troubledUsers(of: "eth0") == [2])
    directory.set(device: "eth1", for: tickets[1])
    #expect(directory.troubledUsers(of: "eth0").isEmpty && directory.troubledUsers(of: "eth1") == [2])
    directory.release(tickets[1])
    directory.set(troubled, for: tickets[1])
    #expect(directory.troubledUsers(of: "eth1").isEmpty)
  }

  @Test("Whatever is claimed, made, found and released, no login adds to as many sessions as are wanted")
  func randomClaims() throws {
    var generator = SeededGenerator(state: 5)
    var model = DirectoryModel(keys: try (0..<5).map(key))
    for step in 0..<60_000 {
      model.step(&generator, up())
      if let violation = model.violation {
        Issue.record("step \(step): \(violation)")
        return
      }
    }
  }

  @Test("A session that is being made keeps others off, and one that is there is named")
  func claims() throws {
    var directory = Directory()
    guard case .claimed(let ticket) = directory.claim(try key(1)) else {
      Issue.record("a free key is not given")
      return
    }
    #expect(directory.claim(try key(1)) == .underWay(ticket))
    // The number comes long before the session is of use.
    directory.set(SessionID(rawValue: 4), for: ticket)
    #expect(directory.claim(try key(1)) == .underWay(ticket))
    directory.set(up(), for: ticket)
    #expect(directory.claim(try key(1)) == .exists(SessionID(rawValue: 4)))
    directory.release(ticket)
    #expect(directory.claim(try key(1), shown: [SessionID(rawValue: 9)]) == .exists(SessionID(rawValue: 9)))
  }

  @Test("What is being logged out of is no session to count on, and in the way of another until it is gone")
  func leaving() throws {
    var directory = Directory()
    let ticket = try #require(directory.adopt(SessionID(rawValue: 4), try key(1), owner: nil))
    var leaving = up()
    leaving.phase = .loggingOut
    directory.set(leaving, for: ticket)
    #expect(directory.claim(try key(1)) == .leaving(ticket))
    // There is another, as many as are wanted.
    let other = try #require(directory.adopt(SessionID(rawValue: 5), try key(1), owner: nil))
    directory.set(up(), for: other)
    #expect(directory.claim(try key(1)) == .exists(SessionID(rawValue: 5)))
    #expect(directory.claim(try key(1), wanted: 2) == .leaving(ticket))
    directory.release(ticket)
    #expect(directory.claim(try key(1), wanted: 2) != .leaving(ticket))
  }

  @Test("A session is found by its host's name and by the address behind it")
  func alias() throws {
    var directory = Directory()
    let ticket = try #require(
      directory.adopt(SessionID(rawValue: 4), try key(1), alias: try key(2), owner: nil))
    directory.set(up(), for: ticket)
    let exists = Directory.Claim.exists(SessionID(rawValue: 4))
    #expect(directory.claim(try key(1)) == exists)
    #expect(directory.claim(try key(2)) == exists)
    #expect(directory.claim(try key(3), alias: try key(2)) == exists)
    // By another of the host's addresses, as the kernel shows it.
    #expect(directory.claim(try key(4), shown: [SessionID(rawValue: 4)]) == exists)
    directory.release(ticket)
    guard case .claimed(let next) = directory.claim(try key(3), alias: try key(2)) else {
      Issue.record("what is gone is still found")
      return
    }
    #expect(directory.claim(try key(2)) == .underWay(next))
  }

  @Test("A login that comes to another of its host's addresses claims that one, and lets go of the first")
  func otherAddress() throws {
    var directory = Directory()
    guard case .claimed(let ticket) = directory.claim(try key(1), alias: try key(2)) else {
      Issue.record("a free key is not given")
      return
    }
    let there = try #require(directory.adopt(SessionID(rawValue: 4), try key(3), owner: nil))
    directory.set(up(), for: there)
    let exists = Directory.Claim.exists(SessionID(rawValue: 4))
    #expect(directory.move(ticket, to: try key(3)) == exists)
    #expect(directory.move(ticket, to: try key(5), shown: [SessionID(rawValue: 4)]) == exists)
    #expect(directory.claim(try key(2)) == .underWay(ticket), "what could not move has lost its place")
    #expect(directory.move(ticket, to: try key(5)) == .claimed(ticket))
    #expect(directory.claim(try key(5)) == .underWay(ticket))
    guard case .claimed(let second) = directory.claim(try key(2)) else {
      Issue.record("the first address is still taken")
      return
    }
    #expect(directory.move(ticket, to: try key(2)) == .underWay(second))
    #expect(directory.move(ticket, to: try key(2), wanted: 2) == .claimed(ticket))
    // Where several sessions of a name are wanted, those at its other addresses count too.
    directory.set(alias: try key(6), for: second)
    guard case .claimed(let third) = directory.claim(try key(1), alias: try key(7), wanted: 2) else {
      Issue.record("a second session is not given")
      return
    }
    #expect(directory.move(third, to: try key(6), wanted: 2) == .underWay(ticket))
    directory.release(third)
    directory.release(ticket)
    directory.release(second)
    for place in [try key(2), try key(5)] {
      guard case .claimed = directory.claim(place) else {
        Issue.record("\(place) is still taken")
        return
      }
    }
  }

  @Test("A session is found once")
  func adoption() throws {
    var directory = Directory()
    let session = SessionID(rawValue: 3)
    let ticket = try #require(directory.adopt(session, try key(1), owner: nil))
    #expect(directory.adopt(session, try key(1), owner: nil) == nil)
    directory.release(ticket)
    #expect(directory[session] == nil)
    #expect(try directory.adopt(session, key(1), owner: nil) != nil)
  }

  @Test("A session that is found while it is made stays its maker's")
  func foundTooEarly() throws {
    var directory = Directory()
    let session = SessionID(rawValue: 3)
    guard case .claimed(let maker) = directory.claim(try key(1)) else {
      Issue.record("a free key is not given")
      return
    }
    let finder = try #require(directory.adopt(session, try key(2), owner: nil))
    directory.set(session, for: maker)
    directory.set(7, for: maker)
    directory.release(finder)
    #expect(directory[session]?.driver == 7)
  }
}

/// The sessions that the kernel has, made by us or by others, beside a directory that must agree.
private struct DirectoryModel {
  let keys: [SessionKey]
  var directory = SessionDirectory<Int>()
  var kernel: [SessionID: SessionKey] = [:]
  var entries: [SessionDirectory<Int>.Ticket: SessionKey] = [:]
  var lastSession: UInt32 = 0
  var violation: String?

  init(keys: [SessionKey]) { self.keys = keys }

  /// The kernel's sessions that the directory has no entry of.
  private var strangers: [SessionID] { kernel.keys.filter { directory[$0] == nil } }

  mutating func step(_ generator: inout SeededGenerator, _ up: Supervision) {
    let index = Int.random(in: 0..<keys.count, using: &generator)
    switch Int.random(in: 0..<20, using: &generator) {
    case 0..<8: claim(keys[index], wanted: index == 4 ? 3 : 1)
    case 8..<11:
      // A login makes its session.
      guard let ticket = entries.keys.randomElement(using: &generator), directory[ticket]?.session == nil else { break }
      directory.set(makeSession(directory[ticket]?.key ?? keys[index]), for: ticket)
      directory.set(up, for: ticket)
    case 11: _ = makeSession(keys[index])
    case 12..<15:
      guard let session = kernel.keys.randomElement(using: &generator), let key = kernel[session] else { break }
      let isKnown = directory[session] != nil
      let ticket = directory.adopt(session, key, owner: nil)
      if (ticket == nil) != isKnown { violation = "a session is found twice, or not at all" }
      if let ticket {
        entries[ticket] = key
        directory.set(up, for: ticket)
      }
    default:
      guard let ticket = entries.keys.randomElement(using: &generator) else { break }
      // What was let go of alone is still in the kernel.
      if let session = directory[ticket]?.session, Bool.random(using: &generator) { kernel[session] = nil }
      directory.release(ticket)
      entries[ticket] = nil
    }
    // Others log out too.
    if kernel.count > 40, let session = strangers.first { kernel[session] = nil }
    check()
  }

  private mutating func makeSession(_ key: SessionKey) -> SessionID {
    lastSession += 1
    let session = SessionID(rawValue: lastSession)
    kernel[session] = key
    return session
  }

  private mutating func claim(_ key: SessionKey, wanted: Int) {
    let ofKey = kernel.filter { $0.value == key }.map(\.key)
    let present = entries.values.count { $0 == key } + strangers.count { kernel[$0] == key }
    switch directory.claim(key, wanted: wanted, shown: ofKey) {
    case .claimed(let ticket):
      if present >= wanted { violation = "one session more than the \(wanted) that are wanted" }
      entries[ticket] = key
    case .exists(let session):
      if present < wanted { violation = "a login is refused though only \(present) of \(wanted) are there" }
      if kernel[session] != key { violation = "\(session) is none of this key" }
    case .underWay:
      if present < wanted { violation = "a login waits for none" }
    case .leaving: violation = "a login waits for a logout that nobody has begun"
    }
  }

  private mutating func check() {
    if directory.all.count != entries.count { violation = "\(directory.all.count) entries for \(entries.count)" }
    for entry in directory.all {
      guard let session = entry.session else { continue }
      if directory[session]?.session != session { violation = "\(session) is not found by its number" }
    }
  }
}
