// SPDX-License-Identifier: Apache-2.0
internal import Synchronization
internal import SystemPackage

extension SessionManager {
  /// How often it is looked whether there is anything to watch.
  private static let restingPace = Duration.seconds(10)

  /// Watches until the task is cancelled whether targets answer the kernel's NOP-Outs, and notes of each session that is
  /// up since when its target does not; and takes back what was said of its network device if data comes all the same. A
  /// kernel without the module `tcp_diag` does not tell.
  public func watchSilence() async {
    var watch = SilenceWatch()
    var answers = AnswerWatch()
    var isIdle = true
    while (try? await Reactor.shared.sleep(until: .now + (isIdle ? Self.restingPace : SilenceWatch.pace))) != nil {
      let entries = directory.withLock { $0.upSessions }
      let suspects = entries.compactMapValues { $0.supervision?.networkSince }
      let sessions = entries.mapValues { $0.supervision?.networkSince != nil }
      let sysfs = environment.sysfs
      // Should it not come to an end, nothing new is known: a machine that is stuck is no answer of the target's.
      guard let result = try? await Self.looks.run(until: .now + SilenceWatch.pace, { Self.look(at: sessions, sysfs) })
      else { continue }
      guard case .success(let look) = result else {
        guard case .failure(.noSuchFileOrDirectory) = result else { continue }
        // No module tells of connections, and the kernel has just run a program to look for one.
        guard (try? await Reactor.shared.sleep(until: .now + Self.pauseWithoutModule)) != nil else { return }
        continue
      }
      let now = ContinuousClock.now
      for (session, finding) in watch.observe(look.signs, at: now) {
        await entries[session]?.driver?.silenceFound(finding)
      }
      for (session, verdict) in answers.observe(look.silences, of: suspects, at: now) {
        switch verdict {
        case .doubtful: if let device = entries[session]?.device { self.look(at: device) }
        case .wrong: await dropNetworkFinding(of: session)
        }
      }
      isIdle = watch.isIdle && suspects.isEmpty
    }
  }

  /// What a session's device suffers from is not what the session suffers from. Through which one it goes is not known then.
  private func dropNetworkFinding(of session: SessionID) async {
    let driver = directory.withLock { $0.forgetDevice(of: session) }
    await driver?.networkFound(nil)
  }

  private static let pauseWithoutModule = Duration.seconds(600)
  private static let looks = BlockingWork(limit: 1, sharesFiles: false)

  /// What a look at connections finds.
  private struct Look: Sendable {
    /// For how long nothing has come.
    var silences: [SessionID: Duration] = [:]
    /// The same with the NOP-Outs' timeouts, of the sessions whose target is asked for signs of life.
    var signs: [SessionID: SilenceWatch.Sign] = [:]
  }

  /// What sessions show whose connection the kernel tells of: those whose target is asked for signs of life, and those that
  /// are marked. One list for all connections to a port: a machine's sessions have one or two of these.
  private static func look(at sessions: [SessionID: Bool], _ sysfs: Sysfs) -> Result<Look, Errno> {
    var watched: [SessionID: WatchedConnection] = [:]
    var connections: [SessionID: SocketQuery.Connection] = [:]
    for (session, isMarked) in sessions {
      watched[session] = sysfs.watchedConnection(of: session)
      connections[session] = watched[session]?.connection ?? (isMarked ? sysfs.connectionEnds(of: session) : nil)
    }
    let ports = Set(connections.values.map { Port(isIPv6: $0.remote.address.isIPv6, number: $0.remote.port) })
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
      var look = Look()
      for (session, connection) in connections {
        guard let silence = silences[connection] else { continue }
        look.silences[session] = silence
        look.signs[session] = watched[session].map {
          SilenceWatch.Sign(silence: silence, noopInterval: $0.noopInterval, noopTimeout: $0.noopTimeout)
        }
      }
      return .success(look)
    } catch {
      return .failure(error)
    }
  }

  private struct Port: Hashable {
    var isIPv6: Bool
    var number: UInt16
  }
}
