// SPDX-License-Identifier: Apache-2.0
internal import Synchronization
internal import SystemPackage

extension SessionManager {
  /// How often it is looked whether there is anything to watch.
  private static let restingPace = Duration.seconds(10)

  /// Watches until the task is cancelled whether targets answer the kernel's NOP-Outs, and notes of each session that is
  /// up since when its target does not. A kernel without the module `tcp_diag` does not tell.
  public func watchSilence() async {
    var watch = SilenceWatch()
    while (try? await Reactor.shared.sleep(until: .now + (watch.isIdle ? Self.restingPace : SilenceWatch.pace))) != nil
    {
      let drivers = driversOfUpSessions
      let sessions = Array(drivers.keys)
      let sysfs = environment.sysfs
      // Should it not come to an end, nothing new is known: a machine that is stuck is no answer of the target's.
      guard let look = try? await Self.looks.run(until: .now + SilenceWatch.pace, { Self.look(at: sessions, sysfs) })
      else { continue }
      guard case .success(let signs) = look else {
        guard case .failure(.noSuchFileOrDirectory) = look else { continue }
        // No module tells of connections, and the kernel has just run a program to look for one.
        guard (try? await Reactor.shared.sleep(until: .now + Self.pauseWithoutModule)) != nil else { return }
        continue
      }
      for (session, finding) in watch.observe(signs, at: .now) { await drivers[session]?.silenceFound(finding) }
    }
  }

  private static let pauseWithoutModule = Duration.seconds(600)
  private static let looks = BlockingWork(limit: 1, sharesFiles: false)

  /// What sessions show whose target is asked for signs of life, and whose connection the kernel tells of. One list for all
  /// connections to a port: a machine's sessions have one or two of these.
  private static func look(
    at sessions: [SessionID], _ sysfs: Sysfs
  ) -> Result<[SessionID: SilenceWatch.Sign], Errno> {
    let watched = sessions.compactMap { session in sysfs.watchedConnection(of: session).map { (session, $0) } }
    let ports = Set(
      watched.map { Port(isIPv6: $1.connection.remote.address.isIPv6, number: $1.connection.remote.port) })
    do throws(Errno) {
      var silences: [SocketQuery.Connection: Duration] = [:]
      for port in ports {
        let handle = try NetlinkHandle(protocol: SocketQuery.diagnosis)
        let request = SocketQuery.request(isIPv6: port.isIPv6, remotePort: port.number, sequence: 1)
        for message in try handle.list(request) {
          guard let connection = SocketQuery.connection(in: message) else { continue }
          silences[connection] = SocketQuery.silence(in: message)
        }
      }
      return .success(
        watched.reduce(into: [:]) { signs, entry in
          guard let silence = silences[entry.1.connection] else { return }
          signs[entry.0] = SilenceWatch.Sign(
            silence: silence, noopInterval: entry.1.noopInterval, noopTimeout: entry.1.noopTimeout)
        })
    } catch {
      return .failure(error)
    }
  }

  private struct Port: Hashable {
    var isIPv6: Bool
    var number: UInt16
  }
}
