// SPDX-License-Identifier: Apache-2.0
internal import Logging
internal import SystemPackage

/// That there is one daemon: a lock among those of this program, and open-iscsi's socket name besides.
///
/// The name alone would let every user of the machine keep the daemon from starting, since everybody can take it. So one
/// whose holder may not drive sessions is done without, and taken as soon as it is free; the lock is what counts then.
struct DaemonExclusion: Sendable {
  /// How long the holder of the name may take to show who it is: a daemon that has just bound it listens at once.
  private static let patience = Duration.seconds(2)
  /// How often a name is tried that a stranger has.
  private static let interval = Duration.seconds(2)

  /// The lock; nil where there can be none.
  private let lock: DaemonLock?
  /// The name; nil as long as a stranger has it.
  let name: LegacyDaemonName?
  private let users: Set<UInt32>
  private let label: String

  /// Makes sure that this is the only daemon.
  ///
  /// - Parameters:
  ///   - configuration: Where lock and name are.
  ///   - log: Is told what is not as it should be.
  /// - Throws: `otherDaemon` if it is not the only one, or if that cannot be known.
  init(_ configuration: Daemon.Configuration, log: Logger) async throws(DaemonError) {
    users = configuration.daemonUsers
    label = configuration.exclusiveName
    switch await DaemonLock.take(configuration.exclusiveLock) {
    case .held(let lock): self.lock = lock
    case .taken(let process?): throw .otherDaemon(.taken(by: .iscsiAdmin(process: process)))
    case .taken(nil): throw .otherDaemon(.taken(by: .other(process: nil, name: nil)))
    case .impossible(let reason):
      lock = nil
      // Who lacks the rights hears of it from the kernel.
      if reason != .system(.permissionDenied) {
        let path = configuration.exclusiveLock
        let advice = reason.advice(on: path.removingLastComponent()).map { "; \($0)" } ?? ""
        log.warning("the daemon's lock \(path) cannot be had: \(reason)\(advice)")
      }
    }
    do throws(LegacyDaemonNameError) {
      if let listener = configuration.exclusiveListener {
        name = try LegacyDaemonName.adopt(listener, name: label)
      } else {
        name = try await Self.acquire(label, users)
      }
    } catch {
      guard lock != nil, error.isOfStranger else { throw .otherDaemon(error) }
      log.warning(
        "\(error); going on without it: as long as that is so, open-iscsi's iscsid must not be started beside this daemon"
      )
      name = nil
    }
  }

  /// Takes the name, or finds out for sure who has it.
  private static func acquire(
    _ label: String, _ users: Set<UInt32>
  ) async throws(LegacyDaemonNameError) -> LegacyDaemonName {
    let deadline = ContinuousClock.now + patience
    while true {
      do throws(LegacyDaemonNameError) {
        return try LegacyDaemonName.acquire(label, besides: users)
      } catch .taken(by: .silent) where .now < deadline {
        guard (try? await Reactor.shared.sleep(until: .now + .milliseconds(50))) != nil else {
          throw .taken(by: .silent)
        }
      } catch .taken(by: .silent) where LegacyDaemonName.isOpenISCSIRunning(as: users) {
        // It may be stuck with its queue of clients full.
        throw .taken(by: .other(process: nil, name: nil))
      }
    }
  }

  /// Waits until the name is free and takes it.
  ///
  /// - Returns: The name; nil if the task was cancelled.
  /// - Throws: `taken` if a daemon was faster.
  func acquireLater() async throws(LegacyDaemonNameError) -> LegacyDaemonName? {
    while (try? await Reactor.shared.sleep(until: .now + Self.interval)) != nil {
      do throws(LegacyDaemonNameError) {
        return try await Self.acquire(label, users)
      } catch {
        // A shortage of descriptors or memory passes. To end for it would end recoveries.
        if case .system = error { continue }
        guard error.isOfStranger else { throw error }
      }
    }
    return nil
  }
}

extension LegacyDaemonNameError {
  /// Whether it is no daemon that has the name.
  fileprivate var isOfStranger: Bool {
    switch self {
    case .taken(by: .stranger), .taken(by: .silent): true
    default: false
    }
  }
}
