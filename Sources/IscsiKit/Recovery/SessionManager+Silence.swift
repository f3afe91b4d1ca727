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
      let entries = directory.withLock { directory in
        directory.all.reduce(into: [SessionID: SessionDirectory<SessionDriver>.Entry]()) { entries, entry in
          guard let session = entry.session, entry.supervision?.phase == .up else { return }
          entries[session] = entry
        }
      }
      let suspects = entries.compactMapValues { $0.supervision?.networkSince }
      let sessions = entries.mapValues { $0.supervision?.networkSince != nil }
      let sysfs = environment.sysfs
      // Should it not come to an end, what was known is not known any more.
      let looks = try? await Self.looks.run(until: .now + SilenceWatch.pace) { Self.looks(at: sessions, sysfs) }
      let now = ContinuousClock.now
      for (session, since) in watch.observe((looks ?? [:]).compactMapValues(\.sign), at: now) {
        await entries[session]?.driver?.silenceFound(since)
      }
      for (session, verdict) in answers.observe((looks ?? [:]).mapValues(\.silence), of: suspects, at: now) {
        switch verdict {
        case .doubtful: if let device = entries[session]?.device { look(at: device) }
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

  private static let looks = BlockingWork(limit: 1, sharesFiles: false)

  /// What a look at a session's connection finds.
  private struct Look: Sendable {
    /// For how long nothing has come.
    var silence: Duration
    /// The same with the NOP-Outs' timeouts, if the target is asked for signs of life.
    var sign: SilenceWatch.Sign?
  }

  /// What sessions show whose connection the kernel tells of: those whose target is asked for signs of life, and those that
  /// are marked.
  private static func looks(at sessions: [SessionID: Bool], _ sysfs: Sysfs) -> [SessionID: Look] {
    guard !sessions.isEmpty, let handle = try? NetlinkHandle(protocol: SocketQuery.diagnosis) else { return [:] }
    var looks: [SessionID: Look] = [:]
    for (index, (session, isMarked)) in sessions.enumerated() {
      let watched = sysfs.watchedConnection(of: session)
      guard let ends = watched.map({ ($0.local, $0.remote) }) ?? (isMarked ? sysfs.connectionEnds(of: session) : nil)
      else { continue }
      let request = SocketQuery.request(from: ends.0, to: ends.1, sequence: UInt32(clamping: index + 1))
      guard let answer = try? handle.exchange(request, sequence: UInt32(clamping: index + 1)),
        let silence = SocketQuery.silence(in: answer)
      else { continue }
      let sign = watched.map {
        SilenceWatch.Sign(silence: silence, noopInterval: $0.noopInterval, noopTimeout: $0.noopTimeout)
      }
      looks[session] = Look(silence: silence, sign: sign)
    }
    return looks
  }
}
