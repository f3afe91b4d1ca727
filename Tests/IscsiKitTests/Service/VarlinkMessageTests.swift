// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import IscsiKit

@Suite("Varlink messages")
struct VarlinkMessageTests {
  @Test("Messages come out whole and in order, however the octets come", arguments: [1, 2, 3, 7, 100])
  func buffering(piece: Int) throws {
    var buffer = VarlinkMessageBuffer(limit: 5)
    var messages: [[UInt8]] = []
    let stream: [UInt8] = [1, 2, 0, 0, 3, 0, 4, 4, 4, 4, 4, 0, 5, 6]
    for start in stride(from: 0, to: stream.count, by: piece) {
      buffer.append(Array(stream[start..<min(start + piece, stream.count)]))
      while let message = try buffer.next() { messages.append(message) }
    }
    #expect(messages == [[1, 2], [], [3], [4, 4, 4, 4, 4]])
    #expect(buffer.hasPartialMessage)
    buffer.append([0])
    #expect(try buffer.next() == [5, 6])
    #expect(!buffer.hasPartialMessage)
  }

  @Test("A message beyond the limit is refused, whether its end has come or not")
  func limit() throws {
    for tail in [[], [0]] as [[UInt8]] {
      var buffer = VarlinkMessageBuffer(limit: 3)
      buffer.append([1, 0, 1, 1, 1, 1] + tail)
      #expect(try buffer.next() == [1])
      #expect(throws: VarlinkMessageBuffer.TooLong()) { try buffer.next() }
      #expect(throws: VarlinkMessageBuffer.TooLong()) { try buffer.next() }
    }
  }

  @Test("Requests survive the way out and back")
  func requests() throws {
    let request = VarlinkRequest(
      method: "a.b.C", parameters: ["x": 1], oneway: true, more: true, upgrade: true)
    for request in [request, VarlinkRequest(method: "a.b.C")] {
      let octets = try request.encoded()
      #expect(octets.last == 0)
      #expect(VarlinkRequest(octets.dropLast()) == request)
    }
    #expect(request.interface == "a.b")
    #expect(request.name == "C")
  }

  @Test("Replies survive the way out and back")
  func replies() throws {
    for reply in [VarlinkReply.success(), .success(["a": 1]), .failure(name: "a.b.C", parameters: ["x": nil])] {
      let decoded = try #require(VarlinkReply.decode(reply.encoded().dropLast()))
      #expect(decoded.reply == reply)
      #expect(!decoded.continues)
    }
    let decoded = try #require(VarlinkReply.decode(VarlinkReply.encodedIntermediate(["a": 1]).dropLast()))
    #expect(decoded.reply == .success(["a": 1]))
    #expect(decoded.continues)
  }

  @Test("Parameters become a Swift type, or the reply that names the one at fault")
  func parameters() throws {
    struct Input: Codable { var logins: [[String: Int]] }
    let call = VarlinkCall(method: "Login", parameters: ["logins": [["a": 1], ["a": "x"]]])
    let error = try #require(throws: JSONCodingError.self) { try call.decodeParameters(as: Input.self) }
    #expect(VarlinkReply(error) == .invalidParameter("logins.1.a"))
    #expect(try call.decodeParameters(as: JSONValue.self) == call.parameters)
  }

  @Test("A call takes intermediate replies only if its client wants them")
  func intermediateReplies() async throws {
    await #expect(throws: VarlinkSendError.notWanted) { try await VarlinkCall(method: "A").send([:]) }
    try await VarlinkCall(method: "A", wantsMore: true).send([:])
  }
}
