// SPDX-License-Identifier: Apache-2.0

/// Cuts a stream of octets into Varlink messages, which end with a NUL each.
struct VarlinkMessageBuffer {
  /// A message is longer than the limit.
  struct TooLong: Error, Hashable {}

  /// The most octets that a message may have, without its NUL.
  let limit: Int

  private var octets: [UInt8] = []
  /// Where the first message that was not given out begins.
  private var start = 0
  /// Up to where there is no NUL, so that no octet is looked at twice.
  private var searched = 0

  /// An empty buffer.
  init(limit: Int) { self.limit = limit }

  /// Whether a message has begun and has not ended.
  var hasPartialMessage: Bool { start < octets.count }

  /// Adds what has come. The buffer grows with what is not taken out: take all messages before more is read.
  mutating func append(_ more: [UInt8]) {
    if start > 0 {
      octets.removeSubrange(..<start)
      searched -= start
      start = 0
    }
    octets += more
  }

  /// Takes the next whole message out; nil if there is none yet.
  mutating func next() throws(TooLong) -> [UInt8]? {
    guard let end = octets[searched...].firstIndex(of: 0) else {
      searched = octets.count
      guard octets.count - start <= limit else { throw TooLong() }
      return nil
    }
    guard end - start <= limit else { throw TooLong() }
    defer {
      start = end + 1
      searched = start
    }
    return Array(octets[start..<end])
  }
}
