// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import SystemPackage

/// Finds out that names of a directory go: inotify(7). What goes from when it is made is not missed.
final class DirectoryWatch: Sendable {
  private let descriptor: Int32

  /// Watches a directory.
  ///
  /// - Parameter path: The directory.
  /// - Throws: What the system says, such as `noSuchFileOrDirectory`, or `tooManyOpenFiles` where the user has too many such watches.
  init(_ path: FilePath) throws(Errno) {
    descriptor = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
    guard descriptor >= 0 else { throw Errno(rawValue: errno) }
    let events = UInt32(IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
    // The string is lent to the call.
    guard unsafe inotify_add_watch(descriptor, path.string, events) >= 0 else {
      let failure = Errno(rawValue: errno)
      close(descriptor)
      throw failure
    }
  }

  deinit { close(descriptor) }

  /// Waits until a name, or the directory itself, has gone. To be called once: what has gone is not told, nor forgotten.
  func change() async throws(WaitError) {
    _ = try await Reactor.shared.wait(for: descriptor, .read, until: nil)
  }
}
