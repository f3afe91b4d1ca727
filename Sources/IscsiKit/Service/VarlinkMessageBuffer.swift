// SPDX-License-Identifier: Apache-2.0

/// Cuts a stream of octets into Varlink messages, which end with a NUL each.
struct VarlinkMessageBuffer {
  /// A message is longer than the limit.
  struct TooLong: Error, Hashable {}

  /// The most octets that a message may have, without its NUL.
  let limit: Int

  private var queue = OctetQueue()
  /// How many of the octets that were not given out have no NUL, so that none is looked at twice.
  private var searched = 0

  /// An empty buffer.
  init(limit: Int) { self.limit = limit }

  /// Whether a message has begun and has not ended.
  var hasPartialMessage: Bool { queue.count > 0 }

  /// Adds what has come. The buffer grows with what is not taken out: take all messages before more is read.
  mutating func append(_ more: [UInt8]) { queue.append(more) }

  /// Takes the next whole message out; nil if there is none yet.
  mutating func next() throws(TooLong) -> [UInt8]? {
    let pending = queue.pending
    guard let end = pending.dropFirst(searched).firstIndex(of: 0) else {
      searched = pending.count
      guard pending.count <= limit else { throw TooLong() }
      return nil
    }
    let message = pending[..<end]
    guard message.count <= limit else { throw TooLong() }
    queue.removeFirst(message.count + 1)
    searched = 0
    return Array(message)
  }
}
