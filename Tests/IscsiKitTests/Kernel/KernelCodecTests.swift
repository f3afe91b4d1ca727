// SPDX-License-Identifier: Apache-2.0

import SystemPackage
import Testing

@testable import IscsiKit

/// A message of the fixed length, from the parts that differ.
private func message(type: UInt16, event: UInt32, error: UInt32 = 0, u: String = "", r: String = "") -> [UInt8] {
  var octets: [UInt8] = []
  octets.appendHostInteger(UInt32(72))
  octets.appendHostInteger(type)
  octets.append(contentsOf: repeatElement(0, count: 10))
  octets.appendHostInteger(event)
  octets.appendHostInteger(error)
  octets.appendHostInteger(UInt64(0xFFFF_FFFF_C05B_B060))
  octets += IscsiKitTests.octets(u)
  octets.append(contentsOf: repeatElement(0, count: 56 - octets.count))
  octets += IscsiKitTests.octets(r)
  octets.append(contentsOf: repeatElement(0, count: 72 - octets.count))
  return octets
}

@Suite struct `Kernel requests` {
  static let handle = TransportHandle(rawValue: 0xFFFF_FFFF_C05B_B060)
  static let one = SessionID(rawValue: 1)
  static let login: [UInt8] =
    octets("43 81 0000 00 000004 00023d000001 0000") + [UInt8](repeating: 0, count: 32)

  /// A request and its union and payload, little-endian. CREATE_SESSION and BIND_CONN were recorded from a live kernel.
  static let table: [(request: KernelRequest, number: UInt8, union: String, payload: String)] = [
    (.createSession(initialCommandSN: 0x1234, maxCommands: 128, queueDepth: 32), 11, "34120000 8000 2000", ""),
    (.destroySession(one), 12, "01000000", ""),
    (.createConnection(one, .leading), 13, "01000000 00000000", ""),
    (.destroyConnection(one, .leading), 14, "01000000 00000000", ""),
    (.bindConnection(one, .leading, socket: 5), 15, "01000000 00000000 0500000000000000 01000000", ""),
    (.setParameter(one, .leading, .expStatSN(2)), 16, "01000000 00000000 0e000000 02000000", "3200"),
    (.setParameter(one, .leading, .recoveryTimeout(nil)), 16, "01000000 00000000 13000000 03000000", "2d3100"),
    (.startConnection(one, .leading), 17, "01000000 00000000", ""),
    (.stopConnection(one, .leading, .recover), 18, "01000000 00000000 0000000000000000 03000000", ""),
    (.stopConnection(one, .leading, .terminate), 18, "01000000 00000000 0000000000000000 01000000", ""),
    (
      .sendPDU(one, .leading, header: login, data: [1, 2, 3, 4]), 19, "01000000 00000000 30000000 04000000",
      "43810000 00000004 00023d00 00010000" + String(repeating: "00", count: 32) + "01020304"
    ),
    (.getStatistics(one, .leading), 20, "01000000 00000000", ""),
    (.probe, 21, "", ""),
    (
      .setHostParameter(HostNumber(rawValue: 7), .networkDevice("eth0")), 26, "07000000 02000000 05000000",
      "6574683000"
    ),
    (.unbindSession(one), 27, "01000000", ""),
    (.destroySessionAsync(one), 43, "01000000", ""),
  ]

  @Test(arguments: table.indices) func `Every request has the octets of the kernel's structures`(_ index: Int) {
    let (request, number, union, payload) = Self.table[index]
    var expected = octets("00000000") + [number, 0] + [UInt8](repeating: 0, count: 10)
    expected += [number, 0, 0, 0] + octets("00000000 60b05bc0ffffffff")
    expected += octets(union)
    expected += [UInt8](repeating: 0, count: 72 - expected.count) + octets(payload)
    expected[0] = UInt8(expected.count)
    while expected.count % 4 != 0 { expected.append(0) }

    var datagram: [UInt8] = []
    let echo = request.encode(into: &datagram, handle: Self.handle)
    #expect(datagram == expected)
    #expect(request.type.rawValue == UInt32(number))
    // What the kernel echoes is what the reply's decoder compares.
    #expect(KernelMessage.messages(in: datagram).first?.echo == echo)
  }

  @Test func `Requests lie in a datagram one after the other, each at a multiple of four`() {
    let batch = RequestBatch(
      [
        .setParameter(Self.one, .leading, .fastAbort(true)), .setParameter(Self.one, .leading, .targetName("abc")),
        .startConnection(Self.one, .leading),
      ], handle: Self.handle)
    #expect(batch.datagrams.count == 1)
    #expect(batch.datagrams[0].octets.count == 76 + 76 + 72)
    #expect(KernelMessage.messages(in: batch.datagrams[0].octets).map(\.headerType.rawValue) == [16, 16, 17])
  }

  @Test func `Datagrams stay below the limit, and a message is never split`() {
    let text = String(repeating: "x", count: 4000)
    let requests = (0..<20).map { _ in KernelRequest.setParameter(Self.one, .leading, .targetName(text)) }
    let batch = RequestBatch(requests, handle: Self.handle)
    #expect(batch.datagrams.count == 3)
    #expect(batch.datagrams.allSatisfy { $0.octets.count <= RequestBatch.datagramLimit })
    #expect(batch.datagrams.map { KernelMessage.messages(in: $0.octets).count }.reduce(0, +) == 20)
    #expect(batch.datagrams.flatMap(\.entries) == Array(0..<20))
  }
}

@Suite struct `Kernel parameters` {
  /// Every number that `iscsi_tcp` accepts, and the text of its value.
  static let table: [(KernelParameter, UInt32, String)] = [
    (.maxRecvDataSegmentLength(262_144), 0, "262144"), (.maxXmitDataSegmentLength(8192), 1, "8192"),
    (.headerDigest(.crc32c), 2, "1"), (.dataDigest(.none), 3, "0"), (.initialR2T(false), 4, "0"),
    (.maxOutstandingR2T(1), 5, "1"), (.immediateData(true), 6, "1"), (.firstBurstLength(65_536), 7, "65536"),
    (.maxBurstLength(16_776_192), 8, "16776192"), (.dataPDUInOrder(true), 9, "1"),
    (.dataSequenceInOrder(true), 10, "1"), (.errorRecoveryLevel(0), 11, "0"), (.expStatSN(.max), 14, "4294967295"),
    (.targetName("iqn.2026-11.org.example:a"), 15, "iqn.2026-11.org.example:a"),
    (.targetPortalGroupTag(65_535), 16, "65535"), (.persistentAddress("::1"), 17, "::1"),
    (.persistentPort(3260), 18, "3260"), (.recoveryTimeout(.seconds(120)), 19, "120"),
    (.recoveryTimeout(.zero), 19, "0"), (.recoveryTimeout(nil), 19, "-1"), (.recoveryTimeout(.seconds(-5)), 19, "0"),
    (.userName("me"), 22, "me"), (.userNameIn("you"), 23, "you"), (.fastAbort(true), 26, "1"),
    (.abortTimeout(.seconds(15)), 27, "15"), (.luResetTimeout(.milliseconds(1500)), 28, "2"),
    (.noopTimeout(.seconds(5)), 30, "5"), (.noopInterval(.seconds(Int64.max)), 31, "2147483647"),
    (.interfaceName("default"), 32, "default"), (.initiatorName("iqn.x"), 34, "iqn.x"),
    (.targetResetTimeout(.seconds(30)), 35, "30"), (.targetAlias("a"), 36, "a"), (.bootRoot("b"), 39, "b"),
    (.bootNIC("c"), 40, "c"), (.bootTarget("d"), 41, "d"), (.discoverySession(false), 43, "0"),
    (.portalType("ipv4"), 44, "ipv4"), (.discoveryParentType("sendtargets"), 70, "sendtargets"),
    (.localAddress("10.0.0.1"), 71, "10.0.0.1"),
  ]

  @Test(arguments: table.indices) func `Every parameter becomes its number and a C string`(_ index: Int) {
    let (parameter, number, text) = Self.table[index]
    #expect(parameter.number == number)
    #expect(parameter.octets == Array(text.utf8) + [0])
    #expect(parameter.octets.isKernelText)
  }

  @Test func `A secret becomes text on the wire only`() throws {
    let secret = try #require(Secret("hushhushhush"))
    #expect(KernelParameter.password(secret).number == 24)
    #expect(KernelParameter.passwordIn(secret).number == 25)
    #expect(KernelParameter.password(secret).octets == Array("hushhushhush".utf8) + [0])
    #expect(!String(reflecting: KernelParameter.password(secret)).contains("hush"))
  }

  @Test(arguments: [("a\0b", false), ("", true), (String(repeating: "x", count: 4095), true)])
  func `A text with a NUL in it is told from one without`(_ text: String, _ isGood: Bool) {
    #expect(KernelParameter.targetName(text).octets.isKernelText == isGood)
  }

  @Test func `A text is too long when its NUL does not fit into 4096 octets`() {
    #expect(!KernelParameter.targetName(String(repeating: "x", count: 4096)).octets.isKernelText)
  }

  @Test func `A hardware address is a host parameter`() throws {
    let address = try #require(HardwareAddress("00:11:22:aa:bb:cc"))
    #expect(HostParameter.hardwareAddress(address).number == 0)
    #expect(HostParameter.hardwareAddress(address).octets == Array("00:11:22:aa:bb:cc".utf8) + [0])
    #expect(HostParameter.initiatorName("iqn.x").number == 1)
  }
}

@Suite struct `Kernel replies` {
  private func reply(_ octets: [UInt8]) throws -> KernelReply {
    try KernelReply(try #require(KernelMessage.messages(in: octets).first))
  }

  @Test func `A new session tells its number and its host`() throws {
    // Recorded: 48000000 0b00 ... | 0b000000 ... | 34120000 8000 2000 ... | 01000000 00000000.
    let octets = message(type: 11, event: 11, u: "34120000 8000 2000", r: "01000000 00000000")
    #expect(try reply(octets) == .sessionCreated(SessionID(rawValue: 1), HostNumber(rawValue: 0)))
  }

  @Test func `A new connection tells its numbers`() throws {
    #expect(
      try reply(message(type: 13, event: 13, r: "02000000 00000000"))
        == .connectionCreated(SessionID(rawValue: 2), .leading))
  }

  @Test(arguments: [12, 14, 15, 16, 17, 18, 19, 26, 27, 43] as [UInt16])
  func `A good reply with no return code is done`(_ number: UInt16) throws {
    #expect(try reply(message(type: number, event: UInt32(number))) == .done)
  }

  @Test(arguments: [11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 26, 27, 43] as [UInt16])
  func `An interface error names the request and the errno`(_ number: UInt16) {
    let type = KernelMessageType(rawValue: UInt32(number))
    #expect(throws: KernelError.rejected(type, .invalidArgument, by: .interface)) {
      try reply(message(type: number, event: 103, error: 0xFFFF_FFEA))
    }
  }

  @Test(arguments: [15, 17, 19] as [UInt16]) func `A return code counts although the reply is good`(_ number: UInt16) {
    let type = KernelMessageType(rawValue: UInt32(number))
    #expect(throws: KernelError.rejected(type, .socketNotConnected, by: .transport)) {
      try reply(message(type: number, event: UInt32(number), r: "95ffffff"))
    }
  }

  @Test(arguments: [14, 16, 18] as [UInt16]) func `Other replies have no return code`(_ number: UInt16) throws {
    #expect(try reply(message(type: number, event: UInt32(number), r: "95ffffff")) == .done)
  }

  @Test func `A missing capability is not taken for a refusal`() {
    #expect(throws: KernelError.notPermitted(.request, .notPermitted)) {
      try reply(message(type: 11, event: 103, error: 0xFFFF_FFFF))
    }
  }
}
