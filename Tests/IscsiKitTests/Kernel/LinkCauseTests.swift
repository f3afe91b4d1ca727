// SPDX-License-Identifier: Apache-2.0
import Glibc
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Why a link is down, and which way packets go", .timeLimit(.minutes(1)))
struct LinkCauseTests {
  private static func link(flags: UInt32, operationalState: UInt8?) throws -> NetlinkMessage {
    var payload: [UInt8] = [0, 0, 1, 0]
    for number in [2, flags, 0] as [UInt32] { payload.appendHostInteger(number) }
    payload.appendAttribute(3, Array("eth0\0".utf8))
    if let operationalState { payload.appendAttribute(16, [operationalState]) }
    return try #require(NetlinkMessage.messages(in: NetlinkMessage.request(type: 16, payload)).first)
  }

  private static func linkState(_ attributes: [(type: UInt16, value: UInt8)]) throws -> NetlinkMessage {
    var payload: [UInt8] = [6, 1, 0, 0]
    payload.appendAttribute(0x8001, [8, 0, 1, 0, 2, 0, 0, 0])
    for (type, value) in attributes { payload.appendAttribute(type, [value]) }
    return try #require(NetlinkMessage.messages(in: NetlinkMessage.request(type: 25, payload)).first)
  }

  @Test(
    "rtnetlink alone tells the carrier and the operational state",
    arguments: [
      (0x11043 as UInt32, 6 as UInt8?, LinkCause.up), (0x11043, 0, .up), (0x11043, nil, .up),
      (0x1002, 2, .administrativelyDown), (0x1003, 2, .noCarrier(nil)), (0x1003, nil, .noCarrier(nil)),
      (0x1003, 3, .noCarrier(LinkFault(state: "the device below it is down"))),
      (0x11003, 5, .noCarrier(LinkFault(state: "it waits for an event, such as 802.1X"))),
    ])
  func operationalState(flags: UInt32, state: UInt8?, cause: LinkCause) throws {
    #expect(LinkQuery.cause(in: try Self.link(flags: flags, operationalState: state)) == cause)
  }

  @Test("The driver's reason completes it")
  func extendedState() throws {
    let cases: [([(UInt16, UInt8)], LinkCause, LinkCause)] = [
      ([(2, 1)], .up, .up),
      ([], .noCarrier(nil), .noCarrier(nil)),
      ([(2, 0)], .noCarrier(nil), .noCarrier(nil)),
      ([(2, 0)], .up, .noCarrier(nil)),
      ([(2, 0), (5, 4)], .noCarrier(nil), .noCarrier(LinkFault(state: "no cable"))),
      (
        [(2, 0), (5, 0), (6, 1)], .noCarrier(nil),
        .noCarrier(LinkFault(state: "autonegotiation failed", detail: "no partner detected"))
      ),
      (
        [(2, 0), (5, 10), (6, 1)], .noCarrier(nil),
        .noCarrier(LinkFault(state: "module issue", detail: "module not ready"))
      ),
      // Numbers of a newer kernel.
      ([(2, 0), (5, 4), (6, 9)], .noCarrier(nil), .noCarrier(LinkFault(state: "no cable", detail: "detail 9"))),
      ([(2, 0), (5, 0), (6, 0)], .up, .noCarrier(LinkFault(state: "autonegotiation failed", detail: "detail 0"))),
      ([(2, 0), (5, 255)], .noCarrier(nil), .noCarrier(LinkFault(state: "link state 255"))),
    ]
    for (attributes, otherwise, cause) in cases {
      let answer = try Self.linkState(attributes.map { (type: $0.0, value: $0.1) })
      #expect(LinkStateQuery.cause(in: answer, otherwise: otherwise) == cause)
    }
    #expect(LinkCause.noCarrier(LinkFault(state: "no cable")).description == "without carrier (no cable)")
  }

  @Test("An answer that makes no sense is none")
  func malformed() throws {
    let short = try #require(NetlinkMessage.messages(in: NetlinkMessage.request(type: 16, [0, 0])).first)
    #expect(LinkQuery.cause(in: short) == nil)
    #expect(LinkStateQuery.cause(in: short, otherwise: .up) == .up)
    #expect(RouteQuery.device(in: short) == nil)
  }

  @Test("A route that refuses packets leads to no device")
  func unreachable() throws {
    for (type, device) in [(1, 7), (2, 7), (7, nil), (6, nil), (8, nil), (0, nil)] as [(UInt8, UInt32?)] {
      var payload: [UInt8] = [10, 128, 0, 0, 254, 2, 0, type, 0, 0, 0, 0]
      payload.appendAttribute(4, number: 7)
      let answer = try #require(NetlinkMessage.messages(in: NetlinkMessage.request(type: 24, payload)).first)
      #expect(RouteQuery.device(in: answer) == device)
    }
  }

  @Test("This machine reaches itself over lo, which is there, and not over what is not there")
  func live() async throws {
    let devices = NetworkDevices()
    let deadline = ContinuousClock.now + .seconds(20)
    let four = try #require(IPAddress("127.0.0.1"))
    #expect(try await devices.device(towards: four, until: deadline) == "lo")
    #expect(try await devices.device(towards: four, from: four, until: deadline) == "lo")
    #expect(try await devices.linkCause(of: "nosuchdevice", until: deadline) == .noSuchDevice)
    #expect(try await devices.linkCause(of: "no/device", until: deadline) == .noSuchDevice)
    let cause = try await devices.linkCause(of: "lo", until: deadline)
    #expect([.up, .administrativelyDown].contains(cause))
    // Nothing is at a multicast address that no router knows, and no answer of any kind may trap.
    for text in ["::1", "192.0.2.1", "2001:db8::1", "255.255.255.255"] {
      _ = try? await devices.device(towards: try #require(IPAddress(text)), until: deadline)
    }
  }

  @Test("Generic netlink knows its own family, and none that does not exist")
  func families() throws {
    let handle = try NetlinkHandle(protocol: NetlinkHandle.generic)
    #expect(handle.family("nlctrl") == 16)
    #expect(handle.family("nosuchfamily") == nil)
    // The socket can be used after a family was asked for.
    var payload: [UInt8] = [3, 1, 0, 0]
    payload.appendAttribute(2, Array("nlctrl\0".utf8))
    let answer = try handle.exchange(NetlinkMessage.request(type: 16, sequence: 77, payload), sequence: 77)
    #expect(answer.attributes(after: 4)?.number(1, as: UInt16.self) == 16)
  }
}
