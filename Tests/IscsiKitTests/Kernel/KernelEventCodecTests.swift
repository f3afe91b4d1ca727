// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import IscsiKit

/// An event with words in the kernel's union, and noise in the fields that the kernel does not clear.
private func event(_ type: UInt32, r: [UInt32], u: [UInt32] = [], payload: [UInt8] = []) -> [UInt8] {
  var octets: [UInt8] = []
  octets.appendHostInteger(UInt32(72 + payload.count))
  octets.append(contentsOf: repeatElement(0, count: 12))
  octets.appendHostInteger(type)
  octets.appendHostInteger(UInt32(0xDEAD_BEEF))
  octets.appendHostInteger(UInt64(0xFFFF_FFFF_C05B_B060))
  for word in u { octets.appendHostInteger(word) }
  octets.append(contentsOf: repeatElement(0xEE, count: 56 - octets.count))
  for word in r { octets.appendHostInteger(word) }
  octets.append(contentsOf: repeatElement(0xEE, count: 72 - octets.count))
  return octets + payload
}

private func notification(_ octets: [UInt8]) throws -> KernelNotification {
  KernelNotification(try #require(KernelMessage.messages(in: octets).first))
}

@Suite struct `Kernel events` {
  static let three = SessionID(rawValue: 3)

  static let table: [(type: UInt32, words: [UInt32], expected: KernelNotification)] = [
    (102, [3, 0, 1020], .event(three, .connectionFailed(.connectionClosed))),
    // Destruction alone has the host first.
    (104, [9, 3], .event(three, .sessionDestroyed)),
    (105, [3, 9], .event(three, .devicesRemoved)),
    (106, [3, 9], .event(three, .sessionCreated)),
    (109, [3, 0, 3], .event(three, .loginState(3))),
    (110, [9, 0, 2], .host(HostNumber(rawValue: 9), code: 2)),
    (107, [9], .unknown(KernelMessageType(rawValue: 107))),
    (4711, [], .unknown(KernelMessageType(rawValue: 4711))),
  ]

  @Test(arguments: table.indices) func `Every event is read from its documented words`(_ index: Int) throws {
    let (type, words, expected) = Self.table[index]
    #expect(try notification(event(type, r: words)) == expected)
  }

  @Test(arguments: [0, 1, 2, 3, 4, 253]) func `A PDU's data is cut by its own length`(_ length: Int) throws {
    var header = [UInt8](repeating: 0x11, count: 48)
    header.replaceSubrange(0..<8, with: [0x23, 0x81, 0, 0, 0, 0, UInt8(length >> 8), UInt8(length & 0xFF)])
    let data = (0..<length).map { UInt8(truncatingIfNeeded: $0) }
    let padding = [UInt8](repeating: 0xA5, count: (4 - length % 4) % 4)
    #expect(
      try notification(event(101, r: [3, 0, 0, 0], payload: header + data + padding))
        == .event(Self.three, .received(header: header, data: data)))
  }

  @Test(arguments: [0, 47, 48, 51]) func `A PDU that is shorter than it says is malformed`(_ count: Int) throws {
    var payload = [UInt8](repeating: 0, count: count)
    if count > 7 { payload[7] = 4 }
    #expect(try notification(event(101, r: [3, 0, 0, 0], payload: payload)) == .malformed(.receivedPDU))
  }

  @Test func `Statistics have every counter at its place`() throws {
    var payload: [UInt8] = []
    payload.appendHostInteger(UInt64(1) << 40)
    payload.appendHostInteger(UInt64(2) << 40)
    for number in 1...19 { payload.appendHostInteger(UInt32(number)) }
    payload.appendHostInteger(UInt32(2))
    for (name, value) in [("tx_sendpage_failures", UInt64(77)), (String(repeating: "n", count: 64), .max)] {
      let name = Array(name.utf8)
      payload += name + [UInt8](repeating: 0, count: 64 - name.count)
      payload.appendHostInteger(value)
    }
    guard
      case .statistics(let session, let connection, let statistics) =
        try notification(event(20, r: [], u: [3, 0], payload: payload))
    else {
      Issue.record("not statistics")
      return
    }
    #expect(session == Self.three)
    #expect(connection == .leading)
    #expect(statistics.sentDataOctets == 1 << 40)
    #expect(statistics.receivedDataOctets == 2 << 40)
    #expect(
      [
        statistics.sentNOPs, statistics.scsiCommands, statistics.taskManagementRequests, statistics.loginRequests,
        statistics.textRequests, statistics.dataOutPDUs, statistics.logoutRequests, statistics.snackRequests,
        statistics.receivedNOPs, statistics.scsiResponses, statistics.taskManagementResponses,
        statistics.textResponses, statistics.dataInPDUs, statistics.logoutResponses, statistics.readyToTransfers,
        statistics.asyncMessages, statistics.rejects, statistics.digestErrors, statistics.timeoutErrors,
      ] == Array(1...19))
    #expect(statistics.custom.map(\.name) == ["tx_sendpage_failures", String(repeating: "n", count: 64)])
    #expect(statistics.custom.map(\.value) == [77, .max])
  }

  @Test(arguments: [(95, 0), (96, 1), (167, 1), (96 + 33 * 72, 33), (96, .max)] as [(Int, UInt32)])
  func `Statistics that are shorter than they say are malformed`(_ count: Int, _ counters: UInt32) throws {
    var payload = [UInt8](repeating: 0, count: count)
    if count >= 96 {
      payload.replaceSubrange(92..<96, with: (0..<4).map { UInt8(truncatingIfNeeded: counters >> (8 * $0)) })
    }
    #expect(try notification(event(20, r: [], u: [3, 0], payload: payload)) == .malformed(.getStatistics))
  }

  @Test(
    arguments: [
      (1001, "DATASN (1001)"), (1011, "CONN_FAILED (1011)"), (1018, "INVALID_HOST (1018)"),
      (1020, "TCP_CONN_CLOSE (1020)"), (1022, "NOP_TIMEDOUT (1022)"), (1023, "kernel error 1023"),
      (0, "kernel error 0"),
      (UInt32.max, "kernel error 4294967295"),
    ] as [(UInt32, String)])
  func `A connection error has the kernel's name`(_ number: UInt32, _ text: String) {
    #expect(KernelErrorCode(rawValue: number).description == text)
  }
}

@Suite struct `Datagrams from the kernel` {
  @Test(arguments: [0, 1, 15, 71, 73, 1 << 20, UInt32.max] as [UInt32])
  func `A message of an impossible length ends the datagram`(_ length: UInt32) {
    var octets = event(102, r: [3, 0, 1020])
    let good = octets
    for index in 0..<4 { octets[index] = UInt8(truncatingIfNeeded: length >> (8 * UInt32(index))) }
    #expect(KernelMessage.messages(in: octets).isEmpty)
    #expect(KernelMessage.messages(in: good + octets).count == 1)
  }

  @Test func `No octets whatever trap the decoder`() {
    var generator = SystemRandomNumberGenerator()
    let seeds: [[UInt8]] = [101, 102, 103, 104, 105, 106, 109, 110, 20, 11].map { type in
      event(type, r: [3, 0, 1020], u: [3, 0], payload: [UInt8](repeating: 0, count: 96 + 72))
    }
    for round in 0..<20_000 {
      var octets =
        round % 4 == 0 ? (0..<Int.random(in: 0...256)).map { _ in UInt8.random(in: 0...255) } : seeds[round % 10]
      for _ in 0..<Int.random(in: 0...8, using: &generator) where !octets.isEmpty {
        octets[Int.random(in: 0..<octets.count)] = UInt8.random(in: 0...255)
      }
      if Bool.random() { octets.removeLast(Int.random(in: 0...octets.count)) }
      for message in KernelMessage.messages(in: octets) {
        _ = KernelNotification(message)
        _ = try? KernelReply(message)
        _ = message.echo
      }
    }
  }
}
