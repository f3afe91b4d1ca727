// SPDX-License-Identifier: Apache-2.0
internal import SystemPackage

extension LegacyDaemonName {
  /// What our own clients ask by the name: nothing, with a number that open-iscsi has no request for.
  static let wakeRequest: UInt32 = 0x6973_6373
  /// The octets of an answer that tell of a daemon: the request's number and a status.
  private static let answerHead = 8

  /// Has a service manager that listens by the name (`iscsid.socket`) start its daemon, and waits for a sign of life.
  ///
  /// - Parameters:
  ///   - name: The name, which is open-iscsi's unless a test uses another one.
  ///   - isManager: Whether a holder of the name starts a daemon for whoever connects.
  ///   - deadline: When to give up.
  /// - Returns: Whether a daemon has answered; false at once if nobody has the name, or another program.
  static func wake(
    _ name: String = standard, ifHeldBy isManager: (LegacyDaemonNameError.Holder) -> Bool = isServiceManager,
    until deadline: ContinuousClock.Instant
  ) async -> Bool {
    guard let socket = try? LocalSocket.connect(to: UnixAddress(abstract: name)), let peer = try? socket.peer(),
      peer.processID > 0, daemonUsers.contains(peer.userID),
      isManager(holder(process: peer.processID, program: program(of: peer.processID)))
    else { return false }
    var request: [UInt8] = []
    request.appendHostInteger(wakeRequest)
    do throws(LocalSocketError) {
      try await socket.write(request, until: deadline)
      var count = 0
      while count < answerHead {
        let octets = try await socket.read(upTo: answerLength, until: deadline)
        // The manager drops whom it cannot serve.
        guard !octets.isEmpty else { return false }
        count += octets.count
      }
      return true
    } catch {
      return false
    }
  }

  /// Whether nobody listens by the name who could be a daemon.
  static func isFree(_ name: String = standard, among users: Set<UInt32> = daemonUsers) -> Bool {
    do throws(Errno) {
      return try !users.contains(LocalSocket.connect(to: UnixAddress(abstract: name)).peer().userID)
    } catch {
      return error == .connectionRefused
    }
  }

  private static func isServiceManager(_ holder: LegacyDaemonNameError.Holder) -> Bool {
    if case .socketUnit = holder { true } else { false }
  }
}
