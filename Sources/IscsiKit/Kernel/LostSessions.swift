// SPDX-License-Identifier: Apache-2.0
internal import SystemPackage

extension KernelLink {
  /// How often sessions are looked for, and the pause between two looks.
  private static let looks = 10
  private static let pauseBetweenLooks = Duration.seconds(1)

  /// Removes sessions that this link has made without being told their numbers, because the kernel's answer was lost.
  /// Nobody else would: to others they look like sessions whose maker is just about to log in.
  ///
  /// - Parameter newest: The highest number of a session that was known before the answer was lost.
  func removeLostSessions(after newest: SessionID) async {
    guard let port = core.port else { return }
    for _ in 0..<Self.looks {
      do throws(KernelError) {
        // Behind the request whose answer is missing: the kernel is done with it then, or never got it.
        try await probe(until: KernelLink.defaultDeadline)
        if let found = try? sessionsWithoutLogin(from: port, after: newest) {
          // Who is in sysfs by now was made by a request whose answer is before that of this one, so that the link
          // knows of all whose answers were not lost.
          try await probe(until: KernelLink.defaultDeadline)
          for session in found where !core.knows(session) {
            _ = try await core.destroySession(session, until: KernelLink.defaultDeadline)
          }
          return
        }
      } catch .closed {
        return
      } catch {
        // A kernel that hangs, or a session that is gone meanwhile: the next look tells.
      }
      guard (try? await Reactor.shared.sleep(until: .now + Self.pauseBetweenLooks)) != nil else { return }
    }
  }

  /// Removes a session of which nobody else knows, which the kernel did not do at once.
  func removeLater(_ session: SessionCore) async {
    for _ in 0..<Self.looks {
      guard (try? await Reactor.shared.sleep(until: .now + Self.pauseBetweenLooks)) != nil else { return }
      do throws(KernelError) {
        return try await session.destroy(until: KernelLink.defaultDeadline)
      } catch {
        if error == .closed || error.isUnknownSession { return }
      }
    }
  }

  /// The sessions that were made over a socket of this port and not used since: without a connection, a target and a
  /// login. Only one socket of a machine has the port, and the numbers exclude what another program has made before that
  /// had it.
  private func sessionsWithoutLogin(from port: UInt32, after newest: SessionID) throws(SysfsError) -> [SessionID] {
    let unused = try sysfs.sessions(.summary).filter { session in
      session.id.rawValue > newest.rawValue && session.transport == Self.transport && session.connection == nil
        && session.targetName == nil && session.state == .free
    }
    var found: [SessionID] = []
    for session in unused.map(\.id) {
      guard let creator = try sysfs.session(session)?.creator else { continue }
      if UInt32(bitPattern: creator) == port { found.append(session) }
    }
    return found
  }
}
