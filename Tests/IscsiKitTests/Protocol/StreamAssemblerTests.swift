// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import IscsiKit

@Suite("Messages in a stream")
struct StreamAssemblerTests {
  /// Messages of a length and as many octets; 255 is none.
  private struct Lengths: StreamFormat {
    struct Wrong: Error, Hashable {}

    mutating func next(from queue: inout OctetQueue) throws(Wrong) -> [UInt8]? {
      guard let length = queue.pending.first else { return nil }
      guard length < 255 else { throw Wrong() }
      guard queue.count > Int(length) else { return nil }
      let message = Array(queue.pending.dropFirst().prefix(Int(length)))
      queue.removeFirst(Int(length) + 1)
      return message
    }
  }

  @Test("Pieces of any size give the same messages, and what is left over stays", arguments: 1...9)
  func pieces(size: Int) throws {
    let stream: [UInt8] = [2, 7, 8, 0, 1, 9, 3, 4, 5, 6, 2, 1]
    var assembler = StreamAssembler(Lengths())
    var messages: [[UInt8]] = []
    for start in stride(from: 0, to: stream.count, by: size) {
      assembler.feed(stream[start..<min(start + size, stream.count)])
      while let message = try assembler.next() { messages.append(message) }
    }
    #expect(messages == [[7, 8], [], [9], [4, 5, 6]])
    assembler.feed([3])
    #expect(try assembler.next() == [1, 3])
  }

  @Test("What comes before an error is given out, and nothing after it")
  func error() throws {
    var assembler = StreamAssembler(Lengths())
    assembler.feed([1, 5, 255])
    #expect(try assembler.next() == [5])
    for _ in 0..<2 {
      #expect(throws: Lengths.Wrong.self) { try assembler.next() }
      assembler.feed([1, 5])
    }
  }

  @Test("A queue gives up no more than it has, and keeps its order over what was used")
  func queue() {
    var queue = OctetQueue()
    queue.append([1, 2, 3])
    queue.removeFirst(2)
    queue.append([4])
    #expect(Array(queue.pending) == [3, 4] && queue.count == 2)
    queue.removeFirst(-1)
    #expect(queue.count == 2)
    queue.removeFirst(9)
    #expect(queue.count == 0 && queue.pending.isEmpty)
    queue.append([5])
    #expect(Array(queue.pending) == [5])
  }
}
