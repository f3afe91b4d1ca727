// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

extension SessionManager {
  /// Looks from time to time, until the task is cancelled, whether the sessions that are believed to be up are so.
  ///
  /// The kernel reports a lost connection once, and when memory is short, as it is where a disk that is lost holds dirty data back,
  /// not at all: it finds no room for the message (`iscsi_conn_error_event`, `GFP_ATOMIC`), and no full buffer tells of it either.
  public func watchForLosses() async {
    while (try? await Reactor.shared.sleep(until: .now + .seconds(30))) != nil { await lookForLosses() }
  }

  /// Looks at all sessions that are believed to be up, in one go on a thread that may block, and has what seems to be lost looked at
  /// by its driver, which knows what has come meanwhile.
  func lookForLosses() async {
    let drivers = directory.withLock { $0.upSessions.compactMapValues(\.driver) }
    guard !drivers.isEmpty else { return }
    let (sessions, sysfs) = (Array(drivers.keys), environment.sysfs)
    let suspects = try? await Self.lossLooks.run(until: .now + .seconds(10)) {
      // What cannot be read says nothing.
      sessions.filter { session in
        do throws(SysfsError) { return try sysfs.isConnectionUp(of: session) != true } catch { return false }
      }
    }
    for session in suspects ?? [] { await drivers[session]?.lookForLoss() }
  }

  private static let lossLooks = BlockingWork(limit: 1, sharesFiles: false)
}
