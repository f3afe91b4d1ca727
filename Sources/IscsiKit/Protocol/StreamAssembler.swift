// SPDX-License-Identifier: Apache-2.0

/// Octets of a stream that have come and were not used yet.
public struct OctetQueue: Sendable {
  private var octets: [UInt8] = []
  /// How much of `octets` was used already.
  private var start = 0

  /// An empty queue.
  init() {}

  /// What has not been used.
  var pending: ArraySlice<UInt8> { octets[start...] }
  /// How many octets that are.
  var count: Int { octets.count - start }

  /// Adds octets that came.
  mutating func append(_ more: some Collection<UInt8>) {
    // What was used is dropped in one move for many messages, so that a long chunk of short ones stays linear.
    if start > 0 {
      octets.removeFirst(start)
      start = 0
    }
    octets += more
  }

  /// Uses octets up, but no more than there are.
  mutating func removeFirst(_ count: Int) { start += max(0, min(count, self.count)) }
}

/// What a stream of octets is made of, one message behind the other.
public protocol StreamFormat: Sendable {
  /// What is put together.
  associatedtype Message
  /// Which rule a stream breaks.
  associatedtype Failure: Error, Sendable

  /// Takes the next whole message out of the queue; nil until more octets come.
  mutating func next(from queue: inout OctetQueue) throws(Failure) -> Message?
}

/// Puts messages together from a stream of octets.
///
/// Feed what came, in pieces of any size, then call `next` until it gives nil. A stream that breaks a rule cannot be put
/// in step again: after an error, every call gives the same error, and nothing is kept.
public struct StreamAssembler<Format: StreamFormat>: Sendable {
  private var format: Format
  private var queue = OctetQueue()
  private var failure: Format.Failure?

  /// An assembler at the start of a message.
  init(_ format: Format) { self.format = format }

  /// Takes octets that came.
  public mutating func feed(_ octets: some Collection<UInt8>) {
    if failure == nil { queue.append(octets) }
  }

  /// The next whole message, or nil until more octets come.
  ///
  /// - Throws: What the peer must not send.
  public mutating func next() throws(Format.Failure) -> Format.Message? {
    if let failure { throw failure }
    do throws(Format.Failure) {
      return try format.next(from: &queue)
    } catch {
      failure = error
      queue = OctetQueue()
      throw error
    }
  }
}
