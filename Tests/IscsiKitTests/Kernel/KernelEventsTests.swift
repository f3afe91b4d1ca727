// SPDX-License-Identifier: Apache-2.0

import IscsiKitTesting
import Testing

@testable import IscsiKit

/// Far enough for the slowest machine; no test waits for it unless it fails.
private var soon: ContinuousClock.Instant { .now + .seconds(20) }
/// For a wait that is meant to time out.
private var atOnce: ContinuousClock.Instant { .now + .milliseconds(30) }

private let one = SessionID(rawValue: 1)
private let two = SessionID(rawValue: 2)

@Suite(.timeLimit(.minutes(1))) struct `Events of a session` {
  @Test func `Events go to the subscribers of their session only, in order`() async throws {
    let (link, kernel) = try await KernelLink.scripted(sessions: 2)
    let first = link.events(for: one)
    let second = link.events(for: two)
    let observer = link.events(for: two)
    kernel.multicast(.connectionError, words: [99, 0, 1020])
    kernel.multicast(KernelMessageType(rawValue: 107), words: [1])
    kernel.failConnection(of: one, .noopTimedOut)
    kernel.failConnection(of: two)
    kernel.multicast(.sessionUnbound, words: [2, 3])
    #expect(try await first.next(until: soon) == .connectionFailed(.noopTimedOut))
    #expect(try await second.next(until: soon) == .connectionFailed(.connectionClosed))
    #expect(try await second.next(until: soon) == .devicesRemoved)
    #expect(try await observer.next(until: soon) == .connectionFailed(.connectionClosed))
    #expect(try await first.next(until: .now) == nil)
  }

  @Test func `A PDU arrives without the kernel's padding`() async throws {
    let (link, kernel) = try await KernelLink.scripted(sessions: 1)
    let events = link.events(for: one)
    let pdu = ScriptedPDU(header: [UInt8](repeating: 0x32, count: 48), data: [1, 2, 3, 4, 5])
    kernel.deliver(pdu, to: one)
    #expect(try await events.next(until: soon) == .received(header: pdu.header, data: pdu.data))
  }

  @Test func `Lost events are told to every subscriber, and lost replies to their callers`() async throws {
    let (link, kernel) = try await KernelLink.scripted(sessions: 2)
    let first = link.events(for: one)
    let second = link.events(for: two)
    kernel.inject(.overrun, into: .setParameter)
    await #expect(throws: KernelError.overrun(.setParameter)) {
      try await link.perform(.setParameter(one, .leading, .fastAbort(true)), until: soon)
    }
    #expect(try await first.next(until: soon) == .overrun)
    #expect(try await second.next(until: soon) == .overrun)
    kernel.overflow()
    #expect(try await second.next(until: soon) == .overrun)
    #expect(try await link.perform(.unbindSession(one), until: soon) == .done)
  }

  @Test func `A subscriber that does not read gets one overrun for all that it missed`() async throws {
    let (link, kernel) = try await KernelLink.scripted(sessions: 1)
    let events = link.events(for: one)
    for _ in 0..<513 { kernel.multicast(.connectionLoginState, words: [1, 0, 3]) }
    _ = try await link.perform(.unbindSession(one), until: soon)
    #expect(try await events.next(until: soon) == .overrun)
    #expect(try await events.next(until: soon) == .devicesRemoved)
  }

  @Test func `Events that were received stay when later ones are lost`() async throws {
    let (link, kernel) = try await KernelLink.scripted(sessions: 1)
    let events = link.events(for: one)
    kernel.multicast(.sessionUnbound, words: [1, 2])
    kernel.overflow()
    kernel.overflow()
    _ = try await link.perform(.setParameter(one, .leading, .fastAbort(true)), until: soon)
    #expect(try await events.next(until: soon) == .devicesRemoved)
    #expect(try await events.next(until: soon) == .overrun)
    #expect(try await events.next(until: .now) == nil)
  }

  @Test func `A stop drops what its connection has reported before`() async throws {
    let (link, kernel) = try await KernelLink.scripted(sessions: 1)
    let events = link.events(for: one)
    kernel.failConnection(of: one)
    kernel.failConnection(of: one)
    kernel.multicast(.sessionUnbound, words: [1, 2])
    #expect(try await link.perform(.stopConnection(one, .leading, .recover), until: soon) == .done)
    kernel.multicast(.connectionError, words: [1, 0, 1022])
    #expect(try await events.next(until: soon) == .devicesRemoved)
    #expect(try await events.next(until: soon) == .connectionFailed(.noopTimedOut))
  }

  @Test func `Cancellation ends a wait for events`() async throws {
    let (link, _) = try await KernelLink.scripted(sessions: 1)
    let events = link.events(for: one)
    let task = Task { try await events.next(until: soon) }
    task.cancel()
    await #expect(throws: KernelError.cancelled) { try await task.value }
    #expect(try await events.next(until: atOnce) == nil)
  }
}
