// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Answers programs of this machine that ask by HTTP/1.1 for a document that is made for each of them.
///
/// One request a connection. Each client has a task, which waits in the reactor; what it may take of the server is bounded
/// by `Limits`, so that a slow, dead or hostile one disturbs nobody else.
package final class HTTPServer: Sendable {
  /// What a client may take of the server.
  struct Limits: Hashable, Sendable {
    /// How many clients at once; more are told so and closed.
    var clients = 32
    /// How long a client may take for all of its request, and then for the answer.
    var patience = Duration.seconds(10)
  }

  private let listener: any LocalListener
  private let limits: Limits
  private let clients = Mutex(0)
  private let answer: @Sendable (HTTPRequest) async -> HTTPResponse

  /// A server on a Unix socket.
  package convenience init(
    _ listener: UnixListener, answer: @escaping @Sendable (HTTPRequest) async -> HTTPResponse
  ) {
    self.init(listener, Limits(), answer: answer)
  }

  /// A server on the loopback device.
  package convenience init(
    _ listener: LoopbackListener, answer: @escaping @Sendable (HTTPRequest) async -> HTTPResponse
  ) {
    self.init(listener, Limits(), answer: answer)
  }

  init(
    _ listener: any LocalListener, _ limits: Limits, answer: @escaping @Sendable (HTTPRequest) async -> HTTPResponse
  ) {
    self.listener = listener
    self.limits = limits
    self.answer = answer
  }

  /// Serves until the task is cancelled, and all clients are gone. To be called once.
  package func run() async {
    await withDiscardingTaskGroup { group in
      while !Task.isCancelled {
        do throws(LocalSocketError) {
          let socket = try await listener.accept()
          if admit(socket) {
            group.addTask { [self] in
              await serve(socket)
              clients.withLock { $0 -= 1 }
            }
          }
        } catch .cancelled {
          break
        } catch {
          // Out of descriptors or memory: they come back when clients go.
          try? await Reactor.shared.sleep(until: .now + .milliseconds(100))
        }
      }
      listener.close()
      group.cancelAll()
    }
  }

  /// Counts a client, or tells it that there are too many.
  private func admit(_ socket: LocalSocket) -> Bool {
    let hasRoom = clients.withLock { clients in
      guard clients < limits.clients else { return false }
      clients += 1
      return true
    }
    // The answer fits into the empty buffer of a new connection.
    if !hasRoom { socket.offer(HTTPResponse(.unavailable).octets()) }
    return hasRoom
  }

  private func serve(_ socket: LocalSocket) async {
    var octets: [UInt8] = []
    let deadline = ContinuousClock.now + limits.patience
    while true {
      switch HTTPRequest.read(octets) {
      case .incomplete:
        do throws(LocalSocketError) {
          let more = try await socket.read(upTo: HTTPRequest.sizeLimit, until: deadline)
          guard !more.isEmpty else { return }
          octets += more
        } catch .timedOut {
          return socket.offer(HTTPResponse(.requestTimeout).octets())
        } catch {
          return
        }
      case .refused(let status): return socket.offer(HTTPResponse(status).octets())
      case .whole(let request):
        let response = await answer(request)
        try? await socket.write(response.octets(isHead: request.isHead), until: .now + limits.patience)
        return
      }
    }
  }
}
