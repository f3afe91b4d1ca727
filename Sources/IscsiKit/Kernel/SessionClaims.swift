// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// Which sessions of one kernel have a `KernelSession` value in this process.
///
/// Two values of one session could each bind a socket, which makes the kernel loop for ever. So the claims do not belong
/// to a link: all links to the running kernel share `kernel`. A session's number is the kernel's own, over all transports.
final class SessionClaims: Sendable {
  /// The claims on the sessions of the running kernel.
  static let kernel = SessionClaims()

  private let owned = Mutex<Set<SessionID>>([])

  /// Notes that a value drives the session; false if there is one already.
  func claim(_ session: SessionID) -> Bool { owned.withLock { $0.insert(session).inserted } }

  /// Whether a value drives the session.
  func has(_ session: SessionID) -> Bool { owned.withLock { $0.contains(session) } }

  /// Notes that no value drives the session any more.
  func release(_ session: SessionID) { owned.withLock { _ = $0.remove(session) } }
}
