// SPDX-License-Identifier: Apache-2.0
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Netlink ports")
struct NetlinkPortsTests {
  @Test("The sockets of the initiator's protocol are told from others")
  func ports() {
    let text = """
      sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode
      00000000c2f7a3a1 0   0          00000000 0        0        0     2        0        7
      000000004b3b9f7e 8   1752       00000001 0        0        0     2        0        20123
      00000000c2f7a3a2 8   3221225473 00000001 0        0        0     2        0        20124
      00000000c2f7a3a3 15  99         00000001 0        0        0     2        0        20125
      nonsense
      """
    let ports = NetlinkPorts(text: text)
    #expect(ports.hasCreator(1752) && ports.hasCreator(Int32(bitPattern: 3_221_225_473)))
    #expect(!ports.hasCreator(99) && !ports.hasCreator(-1))
  }

  @Test("A list that is too long to be read to its end says nothing")
  func tooLong() throws {
    let length = try FileContents(of: "/proc/net/netlink", limit: 1 << 20).octets.count
    #expect(NetlinkPorts() != nil)
    #expect(NetlinkPorts(limit: length / 2) == nil)
  }
}
