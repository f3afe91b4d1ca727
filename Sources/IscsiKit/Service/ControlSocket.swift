// SPDX-License-Identifier: Apache-2.0
internal import Logging
internal import SystemPackage

/// Where clients find the daemon. Its file may go while the daemon runs: systemd takes that of a socket unit away when something
/// stops the unit, such as a conflict with open-iscsi's at boot, and leaves the service running. Then the daemon listens at a file of
/// its own, as nobody could reach it else.
struct ControlSocket: Sendable {
  /// The first that listens there.
  let listener: UnixListener
  /// Its file; nil if it has none, but a name in the abstract namespace.
  private let path: FilePath?
  private let log: Logger
  /// How long to wait before another attempt at what the system refuses, such as a watch.
  private static let interval = Duration.seconds(10)

  /// Listens.
  ///
  /// - Parameters:
  ///   - path: The file, if it is to be made.
  ///   - adopted: What listens already, from a service manager.
  ///   - log: Is told when the file has gone.
  /// - Throws: What the system says.
  init(at path: FilePath, adopting adopted: FileDescriptor?, log: Logger) throws(Errno) {
    self.log = log
    if let adopted {
      self.path = UnixAddress(of: adopted.rawValue)?.path
      listener = try UnixListener(adopting: adopted.rawValue)
    } else {
      self.path = path
      listener = try Self.make(path)
    }
  }

  private static func make(_ path: FilePath) throws(Errno) -> UnixListener {
    try AtomicFile.makeDirectory(path.removingLastComponent())
    return try UnixListener(at: path)
  }

  /// Makes the file anew whenever it has gone, until the task is cancelled.
  ///
  /// - Parameter move: Takes clients at this listener instead of the one before.
  func keep(_ move: (UnixListener) -> Void) async {
    guard let path else { return }
    var known: Errno?
    while await hasGone(path) {
      do throws(Errno) {
        move(try Self.make(path))
        known = nil
        log.warning("the socket \(path) was taken away; the daemon listens at one of its own now")
      } catch {
        if error != known {
          log.warning("the socket \(path) was taken away, and the daemon can make none: \(error.label)")
        }
        known = error
        _ = try? await Reactor.shared.sleep(until: .now + Self.interval)
      }
    }
  }

  /// Waits until there is no such file; false if the task was cancelled.
  private func hasGone(_ path: FilePath) async -> Bool {
    while !Task.isCancelled {
      // Before the look, so that nothing that happens between is missed. And one for each wait: the directory may be another one.
      let watch = try? DirectoryWatch(path.removingLastComponent())
      guard UnixListener.hasFile(at: path) else { return !Task.isCancelled }
      do throws(WaitError) {
        guard let watch else { throw .timedOut }
        try await watch.change()
      } catch {
        _ = try? await Reactor.shared.sleep(until: .now + Self.interval)
      }
    }
    return false
  }
}
