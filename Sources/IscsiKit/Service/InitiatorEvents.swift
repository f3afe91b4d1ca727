// SPDX-License-Identifier: Apache-2.0
internal import SystemPackage

/// What happens to sessions, as the daemon tells it; goes on over restarts of the daemon.
///
/// ```swift
/// for try await event in initiator.events() { print(event.message) }
/// ```
///
/// While there is no daemon the sequence waits for the next one, of which all events are given, behind one of
/// ``InitiatorTypes/Event/missedKind``: what the daemon before may have told at its end is not known. The sequence ends with
/// the task's cancellation; it throws what no wait mends, such as a lack of permission.
public struct InitiatorEvents: AsyncSequence, Sendable {
  /// What the sequence consists of.
  public typealias Element = InitiatorTypes.Event
  /// Why it ends early.
  public typealias Failure = InitiatorError

  let initiator: Initiator
  let after: UInt64?

  /// An iterator, which connects with its first event.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(initiator: initiator, last: after) }

  /// Gives the events one by one.
  public struct AsyncIterator: AsyncIteratorProtocol {
    private static let pause = Duration.milliseconds(500)

    private let initiator: Initiator
    private var last: UInt64?
    private var replies: VarlinkReplies.AsyncIterator?

    init(initiator: Initiator, last: UInt64?) {
      self.initiator = initiator
      self.last = last
    }

    /// The next event; nil when the task is cancelled.
    public mutating func next(
      isolation actor: isolated (any Actor)? = #isolation
    ) async throws(InitiatorError) -> InitiatorTypes.Event? {
      while !Task.isCancelled {
        do throws(InitiatorError) {
          if replies == nil { try await connect() }
          if let event = try await nextReply(isolation: actor) { return event }
        } catch {
          // What a cancellation breaks off is no failure.
          guard !Task.isCancelled else { break }
          guard Self.isPassing(error) else { throw error }
        }
        replies = nil
        guard (try? await Reactor.shared.sleep(until: .now + Self.pause)) != nil else { return nil }
      }
      return nil
    }

    private mutating func connect() async throws(InitiatorError) {
      // From here on nothing is missed, even if the connection is lost before the first event.
      if last == nil { last = try await initiator.ping().lastEvent }
      let input = InitiatorTypes.MonitorInput(after: last)
      replies = try await initiator.replies("Monitor", input).makeAsyncIterator()
    }

    private mutating func nextReply(
      isolation actor: isolated (any Actor)?
    ) async throws(InitiatorError) -> InitiatorTypes.Event? {
      let value: JSONValue?
      do throws(VarlinkError) { value = try await replies?.next(isolation: actor) } catch {
        throw Initiator.error(error)
      }
      guard let value else { return nil }
      do throws(JSONCodingError) {
        let event = try JSONValueDecoder().decode(InitiatorTypes.MonitorOutput.self, from: value).event
        last = event.sequence
        return event
      } catch {
        throw .daemon(.unexpected(error))
      }
    }

    /// Whether the next daemon may do better.
    private static func isPassing(_ error: InitiatorError) -> Bool {
      switch error {
      case .daemon(.notConnected(_, .permissionDenied)), .daemon(.notConnected(_, .notPermitted)): false
      case .daemon(.notConnected), .daemon(.closed), .daemon(.timedOut), .daemon(.system): true
      // After a restart all its clients come back at once, and it has room for so many.
      case .daemon(.remote(VarlinkErrorName.busy, _)): true
      case .failed(let failure): failure.exitStatus == .tryAgain
      case .daemon: false
      }
    }
  }
}

extension Initiator {
  /// What happens to sessions from now on, or from behind an event whose number is known.
  ///
  /// - Parameter sequence: The number of the last event that is known, of this daemon or one before it; 0 begins with the oldest
  ///   that is kept, nil with the next one.
  /// - Returns: The events.
  public func events(after sequence: UInt64? = nil) -> InitiatorEvents {
    InitiatorEvents(initiator: self, after: sequence)
  }

  /// The events that the daemon has kept, oldest first: some thousand at most.
  ///
  /// - Parameter deadline: When to give up; what has come by then is lost.
  /// - Returns: The events up to now.
  /// - Throws: Why they are not known.
  public func keptEvents(
    until deadline: ContinuousClock.Instant
  ) async throws(InitiatorError) -> [InitiatorTypes.Event] {
    let daemon = try await survey(withCounters: false, until: deadline).daemon
    let last = daemon.lastEvent
    var kept: [InitiatorTypes.Event] = []
    guard daemon.eventCount > 0 else { return kept }
    var replies = try await replies("Monitor", InitiatorTypes.MonitorInput(after: 0), until: deadline)
      .makeAsyncIterator()
    while kept.last.map({ $0.sequence < last }) ?? true {
      let value: JSONValue?
      do throws(VarlinkError) { value = try await replies.next(isolation: nil) } catch { throw Initiator.error(error) }
      guard let value else { break }
      do throws(JSONCodingError) {
        kept.append(try JSONValueDecoder().decode(InitiatorTypes.MonitorOutput.self, from: value).event)
      } catch {
        throw .daemon(.unexpected(error))
      }
    }
    return kept
  }
}
