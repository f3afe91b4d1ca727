// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("A target that does not answer")
struct SilenceWatchTests {
  private static let session = SessionID(rawValue: 1)
  private let start = ContinuousClock.now

  /// What a look at the session finds: for how many seconds nothing has come, and the timeouts.
  private struct Look {
    var silence: Int64
    var interval: Int64 = 5
    var timeout: Int64 = 5
  }

  /// What is told of a session that is looked at every two seconds; nil is that its target is not asked.
  private func told(_ looks: [Look?]) -> [String] {
    var watch = SilenceWatch()
    return looks.enumerated().flatMap { index, look -> [String] in
      let second = Int64(2 * index)
      let sign = look.map {
        SilenceWatch.Sign(
          silence: .seconds($0.silence), noopInterval: .seconds($0.interval), noopTimeout: .seconds($0.timeout))
      }
      let changes = watch.observe(sign.map { [Self.session: $0] } ?? [:], at: start + .seconds(second))
      return changes.map { change in
        let text =
          switch change.finding {
          case .silent(let since): "silent since \(start.duration(to: since).components.seconds)"
          case .answered: "answers"
          case .unknown: "unknown"
          }
        return "\(second): \(text)"
      }
    }
  }

  private func looks(_ silences: [Int64?], _ interval: Int64 = 5, _ timeout: Int64 = 5) -> [Look?] {
    silences.map { $0.map { Look(silence: $0, interval: interval, timeout: timeout) } }
  }

  @Test("is suspected when the silence is longer than the NOP-Out interval, until it ends")
  func silence() {
    #expect(told(looks([0, 2, 4, 1, 3, 5, 0])) == [])
    #expect(told(looks([0, 2, 4, 6, 8, 1])) == ["6: silent since 0", "10: answers"])
    // Whatever comes is a sign of life: the target's own NOP-Ins, too.
    #expect(told(looks([1, 14, 1, 14], 20, 10)) == [])
    // A look later than an answer may take, and no later than the kernel's own.
    #expect(told(looks([3, 4], 3, 1)) == ["2: silent since -2"])
  }

  @Test("is not suspected any more when it is not asked any more")
  func unasked() {
    #expect(told(looks([7, nil, nil, 7])) == ["0: silent since -7", "2: unknown", "6: silent since -1"])
    #expect(told(looks([1, nil, 1])) == [])
  }

  @Test("is not suspected when the kernel would have given the connection up: it does not ask")
  func unstarted() {
    #expect(told(looks([8, 10, 12, 14, 16, 100])) == ["0: silent since -8", "6: unknown"])
  }

  @Test("is given the time of the interval that the kernel's timer runs for, when that is changed")
  func changedInterval() {
    let quick = Look(silence: 8)
    #expect(
      told([Look(silence: 4, interval: 6), quick, quick, quick, quick, quick]) == ["10: silent since 2"])
  }

  @Test("is known by its connection, which is read where NOP-Outs are on")
  func connection() throws {
    let tree = try SysfsTree()
    var session = SessionSnapshot.example(1)
    session.host?.ipAddress = "10.0.0.2"
    try tree.add(session)
    let sysfs = Sysfs(root: tree.root)
    let connection = "class/iscsi_connection/connection1:0"
    for (name, text) in [
      ("recv_tmo", "5"), ("ping_tmo", "6"), ("address", "10.0.0.1"), ("port", "3260"), ("local_port", "40000"),
    ] { try tree.set("\(connection)/\(name)", to: .text(text)) }
    let found = try #require(sysfs.watchedConnection(of: Self.session))
    #expect(found.connection == Self.connection)
    #expect(found.noopInterval == .seconds(5) && found.noopTimeout == .seconds(6))
    try tree.set("\(connection)/recv_tmo", to: .text("0"))
    #expect(sysfs.watchedConnection(of: Self.session) == nil)
    #expect(sysfs.watchedConnection(of: SessionID(rawValue: 2)) == nil)
  }

  private static let connection = SocketQuery.Connection(
    local: SocketQuery.End(address: .v4(0x0A00_0002), port: 40000),
    remote: SocketQuery.End(address: .v4(0x0A00_0001), port: 3260))

  @Test("The kernel is asked for the connections to a port, whatever device they are bound to")
  func query() throws {
    let request = try #require(
      NetlinkMessage.messages(in: SocketQuery.request(isIPv6: false, remotePort: 3260, sequence: 7)).first)
    #expect(request.type == 20 && request.sequence == 7 && request.payload.count == 56)
    #expect(Array(request.payload.prefix(4)) == [2, 6, 2, 0])
    #expect(Array(request.payload.dropFirst(8).prefix(4)) == [0, 0, 0x0C, 0xBC])
    #expect(request.payload.dropFirst(12).dropLast(8).allSatisfy { $0 == 0 })
    #expect(request.payload.suffix(8).allSatisfy { $0 == 0xFF })
  }

  /// What the kernel tells of a connection: of our port 40000 to port 3260.
  private func answer(
    family: UInt8, _ local: [UInt8], _ remote: [UInt8], _ information: [UInt8], length: Int = 72
  ) throws -> NetlinkMessage {
    var payload: [UInt8] = [family, 1, 0, 0, 0x9C, 0x40, 0x0C, 0xBC]
    for address in [local, remote] { payload += address + [UInt8](repeating: 0, count: 16 - address.count) }
    payload += [3, 0, 0, 0]
    payload += [UInt8](repeating: 0xEE, count: length - payload.count)
    payload.appendAttribute(2, information)
    return try #require(NetlinkMessage.messages(in: NetlinkMessage.request(type: 20, payload)).first)
  }

  @Test("The kernel tells of which connection it speaks, and when data came last")
  func answers() throws {
    var information = [UInt8](repeating: 0, count: 52)
    information.appendHostInteger(UInt32(6500))
    let message = try answer(family: 2, [10, 0, 0, 2], [10, 0, 0, 1], information + [1, 2, 3])
    #expect(SocketQuery.connection(in: message) == Self.connection)
    #expect(SocketQuery.silence(in: message) == .milliseconds(6500))
    let short = try answer(family: 2, [10, 0, 0, 2], [10, 0, 0, 1], Array(information.dropLast()))
    #expect(SocketQuery.connection(in: short) == Self.connection && SocketQuery.silence(in: short) == nil)
    let address: [UInt8] = [0xFE, 0x80] + [UInt8](repeating: 0, count: 13) + [1]
    let other = try answer(family: 10, address, address, information)
    #expect(SocketQuery.connection(in: other)?.remote.address == IPAddress("fe80::1"))
    #expect(try SocketQuery.connection(in: answer(family: 1, [], [], information)) == nil)
    #expect(try SocketQuery.connection(in: answer(family: 2, [], [], [], length: 60)) == nil)
  }

  @Test(
    "A list that the kernel ends early is told with its error", arguments: [(0, nil), (-2, 2)] as [(Int32, Int32?)])
  func listEnd(code: Int32, expected: Int32?) throws {
    var payload: [UInt8] = []
    payload.appendHostInteger(UInt32(bitPattern: code))
    let message = try #require(NetlinkMessage.messages(in: NetlinkMessage.request(type: 3, payload)).first)
    #expect(message.errorCode == expected)
  }

  @Test("is no more than suspected: the session goes on, and a loss ends the suspicion")
  func machine() {
    let portal = Portal(host: .address(.v4(0x0A00_0001), scope: nil))
    var machine = SessionMachine(portal: portal, policy: .init(SessionOptions()), seed: 1)
    #expect(machine.handle(.silenceFound(since: start), at: start) == [] && machine.silentSince == nil)
    _ = machine.handle(.adopt(.up(isScanned: true)), at: start)
    #expect(machine.handle(.silenceFound(since: start), at: start) == [.notify(.silent)])
    #expect(machine.handle(.silenceFound(since: start), at: start) == [] && machine.silentSince == start)
    #expect(machine.handle(.silenceFound(since: nil), at: start) == [.notify(.answered)])
    _ = machine.handle(.silenceFound(since: start), at: start)
    #expect(machine.handle(.silenceUnknown, at: start) == [] && machine.silentSince == nil)
    _ = machine.handle(.silenceFound(since: start), at: start)
    _ = machine.handle(.connectionFailed(.connectionFailed), at: start)
    #expect(machine.silentSince == nil)
  }
}

@Suite("What is wrong with the network")
struct NetworkNoticeTests {
  @Test("is told with the moment since when, and so is its end")
  func since() {
    var harness = MachineHarness.up()
    let start = harness.now
    harness.handle(.networkFound(nil))
    #expect(harness.actions == [])
    let down = NetworkFinding(device: "eth0", cause: .noCarrier(nil))
    harness.handle(.networkFound(down))
    #expect(harness.notices == [.diagnosed(down)] && harness.machine.networkSince == start)
    // Why is known later.
    harness.now += .seconds(3)
    let unplugged = NetworkFinding(device: "eth0", cause: .noCarrier(LinkFault(state: "no cable")))
    harness.handle(.networkFound(unplugged))
    #expect(harness.notices == [.diagnosed(unplugged)] && harness.machine.networkSince == start)
    let other = NetworkFinding(device: "eth1", cause: .noSuchDevice)
    harness.handle(.networkFound(other))
    #expect(harness.machine.networkSince == start + .seconds(3))
    harness.handle(.networkFound(nil))
    #expect(harness.notices == [.networkWell("eth1")])
    #expect(harness.machine.network == nil && harness.machine.networkSince == nil)
  }
}
