// SPDX-License-Identifier: Apache-2.0
import Synchronization
import SystemPackage

/// Offers services on a Unix socket by the Varlink protocol (varlink.org).
///
/// Each client has a task; all of them wait in the reactor. What a client may take of the server is bounded by `Limits`,
/// so that a slow, dead or hostile one disturbs nobody else.
public final class VarlinkServer: Sendable {
  /// What a client may take of the server.
  public struct Limits: Hashable, Sendable {
    /// How many clients at once; more are told `Busy` and closed.
    public var clients = 128
    /// The most octets of a request; a client that exceeds it is closed.
    public var requestSize = 1 << 20
    /// The most octets of a reply; a longer one becomes an error.
    public var replySize = 4 << 20
    /// How long a client may leave a reply unread or a request unfinished before it is closed.
    public var stall = Duration.seconds(30)
    /// How many requests of a connection are handled as fast as they come.
    public var requestBurst = 500
    /// How many requests a second are handled on a connection beyond that; the others wait.
    public var requestsPerSecond = 500
    /// The same for all connections of a user together: who connects for each request is bounded too.
    public var userBurst = 4000
    /// How many requests of a user are handled a second beyond that.
    public var userRequestsPerSecond = 2000

    /// The limits of the daemon.
    public init() {}
  }

  private struct State {
    /// Where clients connect.
    var listener: UnixListener
    /// Waits there for the next one.
    var attempt: Task<Result<LocalSocket, LocalSocketError>, Never>?
    var clients = 0
    var isClosed = false
    var task: Task<Void, Never>?
  }

  private let state: Mutex<State>
  private let router: VarlinkRouter
  private let limits: Limits
  private let admits: @Sendable (UnixPeer) -> Bool
  private let rates: VarlinkRates

  /// How many clients are connected.
  var clientCount: Int { state.withLock(\.clients) }

  /// A server that is ready to run.
  ///
  /// - Parameters:
  ///   - listener: Where clients connect. The server closes it in the end.
  ///   - identity: Who offers the services.
  ///   - services: The services, each of another interface.
  ///   - limits: What a client may take of the server.
  ///   - admits: Whether a peer may use the server; root and this process' own user if not given. Others are told
  ///     `PermissionDenied` and closed.
  /// - Throws: What is wrong with the description of an interface.
  public init(
    listener: UnixListener, identity: VarlinkIdentity, services: [any VarlinkService], limits: Limits = Limits(),
    admits: @escaping @Sendable (UnixPeer) -> Bool = { $0.userID == 0 || $0.userID == UnixPeer.current.userID }
  ) throws(VarlinkInterfaceError) {
    state = Mutex(State(listener: listener))
    self.limits = limits
    self.admits = admits
    rates = VarlinkRates(burst: limits.userBurst, perSecond: limits.userRequestsPerSecond)
    router = try VarlinkRouter(services, identity: identity)
  }

  /// Serves until `close` is called or the task is cancelled, and all clients are gone. To be called once.
  public func run() async {
    let task = state.withLock { state in
      let task = Task { await serve() }
      state.task = task
      if state.isClosed { task.cancel() }
      return task
    }
    await withTaskCancellationHandler {
      await task.value
    } onCancel: {
      task.cancel()
    }
  }

  /// Takes no more clients, cancels the calls that run, sends their replies if clients take them within five seconds, and
  /// closes all connections. `run` returns after that.
  public func close() {
    let task = state.withLock { state in
      state.isClosed = true
      return state.task
    }
    task?.cancel()
  }

  /// Takes clients at another place from now on, and closes the first. Who is connected stays so.
  ///
  /// - Parameter listener: The place. The server closes it in the end.
  func move(to listener: UnixListener) {
    let attempt = state.withLock { state in
      state.listener = listener
      return state.attempt
    }
    attempt?.cancel()
  }

  private func serve() async {
    await withDiscardingTaskGroup { group in
      while !Task.isCancelled {
        switch await accept() {
        case .success(let socket):
          if let peer = admit(socket) {
            group.addTask { [self] in
              await VarlinkConnection(socket, peer: peer, router: router, limits: limits, rates: rates).run()
              state.withLock { $0.clients -= 1 }
            }
          }
        // At the end, or to go on at another place.
        case .failure(.cancelled): break
        case .failure:
          // Out of descriptors or memory: they come back when clients go.
          try? await Reactor.shared.sleep(until: .now + .milliseconds(100))
        }
      }
      state.withLock(\.listener).close()
      group.cancelAll()
    }
  }

  /// The next connection; `cancelled` if the task was, or if it is to be had at another place.
  private func accept() async -> Result<LocalSocket, LocalSocketError> {
    let attempt = state.withLock { state in
      let attempt = Task { [listener = state.listener] () async -> Result<LocalSocket, LocalSocketError> in
        do throws(LocalSocketError) { return .success(try await listener.accept()) } catch { return .failure(error) }
      }
      state.attempt = attempt
      return attempt
    }
    return await withTaskCancellationHandler {
      await attempt.value
    } onCancel: {
      attempt.cancel()
    }
  }

  /// Who has connected, and counts it; nil if it was refused, which closes the connection.
  private func admit(_ socket: LocalSocket) -> UnixPeer? {
    guard let peer = try? socket.peer(), admits(peer) else {
      refuse(socket, VarlinkErrorName.permissionDenied)
      return nil
    }
    let hasRoom = state.withLock { state in
      guard state.clients < limits.clients else { return false }
      state.clients += 1
      return true
    }
    guard hasRoom else {
      refuse(socket, VarlinkErrorName.busy)
      return nil
    }
    return peer
  }

  private func refuse(_ socket: LocalSocket, _ name: String) {
    // The message fits into the empty buffer of a new connection.
    socket.offer(VarlinkConnection.encode(.failure(name: name), limit: limits.replySize))
  }
}

/// Bounds the rate of each user's requests, over whatever connections. There are as many users as the server lets in.
final class VarlinkRates: Sendable {
  private let burst: Int
  private let perSecond: Int
  private let buckets = Mutex<[UInt32: TokenBucket]>([:])

  /// So many at once, and then so many a second.
  init(burst: Int, perSecond: Int) {
    self.burst = burst
    self.perSecond = perSecond
  }

  /// Takes a request of a user; nil if it may be handled, else when to try again.
  func take(_ user: UInt32, at now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
    buckets.withLock { buckets in
      buckets[user, default: TokenBucket(burst: burst, perSecond: perSecond, at: now)].take(at: now)
    }
  }
}
