// SPDX-License-Identifier: Apache-2.0
import Synchronization
public import SystemPackage

/// A connection to a Varlink service. It does one call at a time, and is closed with the object if not before.
///
/// A call that times out, is cancelled or gets no sensible answer closes the connection, because the answer may still be
/// on its way.
public final class VarlinkClient: Sendable {
  /// The most octets of a reply.
  public static let replySizeLimit = 4 << 20

  private enum State {
    /// No call is under way; the buffer has what came with the last reply.
    case idle(VarlinkMessageBuffer)
    case busy
    case closed
  }

  private let socket: LocalSocket
  private let state = Mutex(State.idle(VarlinkMessageBuffer(limit: VarlinkClient.replySizeLimit)))

  private init(_ socket: LocalSocket) { self.socket = socket }

  /// Connects to a service.
  ///
  /// - Parameters:
  ///   - path: The service's socket.
  ///   - deadline: When to give up; nil waits for a busy service without limit.
  /// - Returns: The connection.
  /// - Throws: `notConnected`, `timedOut` or `cancelled`.
  public static func connect(
    to path: FilePath, until deadline: ContinuousClock.Instant?
  ) async throws(VarlinkError) -> VarlinkClient {
    do throws(LocalSocketError) {
      return VarlinkClient(try await LocalSocket.connect(to: path, until: deadline))
    } catch .failed(let errno) {
      throw .notConnected(path, errno)
    } catch {
      throw VarlinkError(error)
    }
  }

  /// Calls a method that answers once.
  ///
  /// - Parameters:
  ///   - method: The method with its interface: `org.varlink.service.GetInfo`.
  ///   - parameters: The input parameters, an object.
  ///   - deadline: When to give up; nil for never.
  /// - Returns: The output parameters, an object.
  /// - Throws: Why there are none; `remote` if the service says so.
  public func call(
    _ method: String, _ parameters: JSONValue = [:], until deadline: ContinuousClock.Instant?
  ) async throws(VarlinkError) -> JSONValue {
    var buffer = try await start(VarlinkRequest(method: method, parameters: parameters), until: deadline)
    let (reply, continues) = try await nextReply(&buffer, until: deadline)
    guard !continues else {
      close()
      throw .malformed
    }
    finish(buffer)
    return try reply.parameters()
  }

  /// Calls a method that may answer several times.
  ///
  /// - Parameters:
  ///   - method: The method with its interface.
  ///   - parameters: The input parameters, an object.
  ///   - deadline: When to give up on the whole; nil for never.
  /// - Returns: The replies, the last one included. The connection is closed if they are dropped before that.
  /// - Throws: Why the request could not be sent.
  public func callMore(
    _ method: String, _ parameters: JSONValue = [:], until deadline: ContinuousClock.Instant?
  ) async throws(VarlinkError) -> VarlinkReplies {
    let request = VarlinkRequest(method: method, parameters: parameters, more: true)
    return VarlinkReplies(client: self, buffer: try await start(request, until: deadline), deadline: deadline)
  }

  /// Ends the connection, and a call that is under way with `closed`.
  public func close() {
    state.withLock { $0 = .closed }
    socket.shutdown()
  }

  /// Sends a request, and gives the buffer that its replies come through.
  private func start(
    _ request: VarlinkRequest, until deadline: ContinuousClock.Instant?
  ) async throws(VarlinkError) -> VarlinkMessageBuffer {
    let message: [UInt8]
    do throws(JSONTextError) { message = try request.encoded() } catch { throw .unsayable(error) }
    let buffer = try takeBuffer()
    do throws(LocalSocketError) {
      try await socket.write(message, until: deadline)
    } catch .closedByPeer {
      // It may have said why before it closed.
    } catch {
      throw failed(error)
    }
    return buffer
  }

  private func takeBuffer() throws(VarlinkError) -> VarlinkMessageBuffer {
    let taken = state.withLock { state -> Result<VarlinkMessageBuffer, VarlinkError> in
      switch state {
      case .idle(let buffer):
        state = .busy
        return .success(buffer)
      case .busy: return .failure(.busy)
      case .closed: return .failure(.closed)
      }
    }
    return try taken.get()
  }

  /// The next reply, and whether others follow.
  fileprivate func nextReply(
    _ buffer: inout VarlinkMessageBuffer, until deadline: ContinuousClock.Instant?
  ) async throws(VarlinkError) -> (reply: VarlinkReply, continues: Bool) {
    while true {
      do throws(VarlinkError) {
        if let reply = try buffer.nextReply() { return reply }
      } catch {
        close()
        throw error
      }
      do throws(LocalSocketError) {
        let octets = try await socket.read(upTo: 65_536, until: deadline)
        guard !octets.isEmpty else { throw .closedByPeer }
        buffer.append(octets)
      } catch {
        throw failed(error)
      }
    }
  }

  /// Ends a call after its last reply.
  fileprivate func finish(_ buffer: VarlinkMessageBuffer) {
    state.withLock { state in
      if case .busy = state { state = .idle(buffer) }
    }
  }

  private func failed(_ error: LocalSocketError) -> VarlinkError {
    close()
    return VarlinkError(error)
  }
}

extension VarlinkMessageBuffer {
  /// Takes the next reply out, and whether others follow it; nil if it has not come whole.
  mutating func nextReply() throws(VarlinkError) -> (reply: VarlinkReply, continues: Bool)? {
    let message: [UInt8]?
    do throws(TooLong) { message = try next() } catch { throw .malformed }
    guard let message else { return nil }
    guard let reply = VarlinkReply.decode(message) else { throw .malformed }
    return reply
  }
}

extension VarlinkReply {
  /// What a call gives or throws.
  func parameters() throws(VarlinkError) -> JSONValue {
    switch self {
    case .success(let parameters): return parameters
    case .failure(let name, let parameters): throw .remote(name: name, parameters: parameters)
    }
  }
}

/// The replies to one call, as they come. To be iterated once, by one task.
public struct VarlinkReplies: AsyncSequence, Sendable {
  /// The output parameters of each reply.
  public typealias Element = JSONValue
  /// What ends the sequence early.
  public typealias Failure = VarlinkError

  /// What is left of the call. Closes the connection when it is dropped before the last reply.
  fileprivate final class Stream: Sendable {
    private enum State {
      case open(VarlinkMessageBuffer)
      case reading
      case ended
    }

    private let client: VarlinkClient
    private let deadline: ContinuousClock.Instant?
    private let state: Mutex<State>

    init(client: VarlinkClient, buffer: VarlinkMessageBuffer, deadline: ContinuousClock.Instant?) {
      self.client = client
      self.deadline = deadline
      state = Mutex(.open(buffer))
    }

    deinit {
      let hasEnded = state.withLock { state in if case .ended = state { true } else { false } }
      if !hasEnded { client.close() }
    }

    func next() async throws(VarlinkError) -> JSONValue? {
      guard var buffer = try takeBuffer() else { return nil }
      do throws(VarlinkError) {
        let (reply, continues) = try await client.nextReply(&buffer, until: deadline)
        state.withLock { $0 = continues ? .open(buffer) : .ended }
        if !continues { client.finish(buffer) }
        return try reply.parameters()
      } catch {
        state.withLock { $0 = .ended }
        throw error
      }
    }

    private func takeBuffer() throws(VarlinkError) -> VarlinkMessageBuffer? {
      let taken = state.withLock { state -> Result<VarlinkMessageBuffer?, VarlinkError> in
        switch state {
        case .open(let buffer):
          state = .reading
          return .success(buffer)
        case .reading: return .failure(.busy)
        case .ended: return .success(nil)
        }
      }
      return try taken.get()
    }
  }

  /// An iterator over the replies.
  public struct AsyncIterator: AsyncIteratorProtocol {
    fileprivate let stream: Stream

    /// The next reply; nil after the last one.
    public mutating func next(isolation actor: isolated (any Actor)?) async throws(VarlinkError) -> JSONValue? {
      try await stream.next()
    }
  }

  private let stream: Stream

  fileprivate init(client: VarlinkClient, buffer: VarlinkMessageBuffer, deadline: ContinuousClock.Instant?) {
    stream = Stream(client: client, buffer: buffer, deadline: deadline)
  }

  /// An iterator; there is one sequence of replies, however many iterators.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(stream: stream) }
}
