// SPDX-License-Identifier: Apache-2.0
import SystemPackage

extension VarlinkClient {
  /// A call that has been made over a connection of its own, and is answered once.
  struct BlockingCall: Sendable {
    fileprivate let socket: LocalSocket
    fileprivate let deadline: ContinuousClock.Instant

    /// Blocks the calling thread until the answer is there.
    ///
    /// - Returns: The output parameters, an object.
    /// - Throws: Why there are none; `remote` if the service says so.
    func answer() throws(VarlinkError) -> JSONValue {
      let (reply, continues) = try VarlinkClient.blockingReply(from: socket, until: deadline)
      guard !continues else { throw .malformed }
      return try reply.parameters()
    }
  }

  /// Calls a method that answers once over a connection of its own, and blocks the calling thread until the answer is there.
  ///
  /// For a command that has nothing else to do: the threads that tasks need cost it more than the call. Not for use within a
  /// task, and nothing cancels it; a signal ends the program as it would anywhere else.
  ///
  /// - Parameters:
  ///   - method: The method with its interface.
  ///   - parameters: The input parameters, an object.
  ///   - path: The service's socket.
  ///   - deadline: When to give up.
  /// - Returns: The output parameters, an object.
  /// - Throws: Why there are none; `notConnected` if nobody listens, `remote` if the service says so.
  static func callBlocking(
    _ method: String, _ parameters: JSONValue, at path: FilePath, until deadline: ContinuousClock.Instant
  ) throws(VarlinkError) -> JSONValue {
    try beginBlocking(method, parameters, at: path, until: deadline).answer()
  }

  /// Makes such a call and does not wait for the answer: there may be something else to do meanwhile.
  static func beginBlocking(
    _ method: String, _ parameters: JSONValue, at path: FilePath, until deadline: ContinuousClock.Instant
  ) throws(VarlinkError) -> BlockingCall {
    let message: [UInt8]
    do throws(JSONTextError) {
      message = try VarlinkRequest(method: method, parameters: parameters).encoded()
    } catch {
      throw .unsayable(error)
    }
    let socket = try blockingConnection(to: path, until: deadline)
    do throws(LocalSocketError) {
      try socket.writeBlocking(message, until: deadline)
    } catch .closedByPeer {
      // It may have said why before it closed.
    } catch {
      throw VarlinkError(error)
    }
    return BlockingCall(socket: socket, deadline: deadline)
  }

  private static func blockingConnection(
    to path: FilePath, until deadline: ContinuousClock.Instant
  ) throws(VarlinkError) -> LocalSocket {
    do throws(LocalSocketError) {
      return try .connectBlocking(to: path, until: deadline)
    } catch .failed(let errno) {
      throw .notConnected(path, errno)
    } catch {
      throw VarlinkError(error)
    }
  }

  fileprivate static func blockingReply(
    from socket: LocalSocket, until deadline: ContinuousClock.Instant
  ) throws(VarlinkError) -> (reply: VarlinkReply, continues: Bool) {
    var buffer = VarlinkMessageBuffer(limit: replySizeLimit)
    while true {
      if let reply = try buffer.nextReply() { return reply }
      do throws(LocalSocketError) {
        let octets = try socket.readBlocking(upTo: 65_536, until: deadline)
        guard !octets.isEmpty else { throw .closedByPeer }
        buffer.append(octets)
      } catch {
        throw VarlinkError(error)
      }
    }
  }
}
