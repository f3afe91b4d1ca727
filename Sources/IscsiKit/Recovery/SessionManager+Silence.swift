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
      let drivers = directory.withLock { directory in
        directory.all.reduce(into: [SessionID: SessionDriver]()) { drivers, entry in
          guard let session = entry.session, entry.supervision?.phase == .up else { return }
          drivers[session] = entry.driver
        }
      }
      let sessions = Array(drivers.keys)
      let sysfs = environment.sysfs
      // Should it not come to an end, what was known is not known any more.
      let signs = try? await Self.looks.run(until: .now + SilenceWatch.pace) { Self.signs(of: sessions, sysfs) }
      for (session, since) in watch.observe(signs ?? [:], at: .now) { await drivers[session]?.silenceFound(since) }
    }
  }

  private static let looks = BlockingWork(limit: 1, sharesFiles: false)

  /// What sessions show whose target is asked for signs of life, and whose connection the kernel tells of.
  private static func signs(of sessions: [SessionID], _ sysfs: Sysfs) -> [SessionID: SilenceWatch.Sign] {
    guard !sessions.isEmpty, let handle = try? NetlinkHandle(protocol: SocketQuery.diagnosis) else { return [:] }
    var signs: [SessionID: SilenceWatch.Sign] = [:]
    for (index, session) in sessions.enumerated() {
      guard let connection = sysfs.watchedConnection(of: session) else { continue }
      let request = SocketQuery.request(
        from: connection.local, to: connection.remote, sequence: UInt32(clamping: index + 1))
      guard let answer = try? handle.exchange(request, sequence: UInt32(clamping: index + 1)),
        let silence = SocketQuery.silence(in: answer)
      else { continue }
      signs[session] = SilenceWatch.Sign(
        silence: silence, noopInterval: connection.noopInterval, noopTimeout: connection.noopTimeout)
    }
    return signs
  }
}
