// SPDX-License-Identifier: Apache-2.0
internal import SystemPackage

/// The program in memory, for the time when the disk of the root file system, and each program on it, cannot be reached:
/// what tells why must not be on that disk itself.
struct ProgramCopy: Sendable {
  /// What became of it.
  enum Outcome: Hashable, Sendable {
    /// It is there, and can be run.
    case kept
    /// It is there, but the file system does not let programs run.
    case keptWithoutExecution
    /// The system stands on no iSCSI disk, so that it is not needed.
    case notNeeded
    /// It could not be made.
    case failed(Errno)
  }

  /// The program that runs.
  var program: FilePath = "/proc/self/exe"
  /// Where the copy is.
  let path: FilePath

  /// Makes the copy, or makes it anew, if the root file system or swap space is on a disk of these sessions; if not, one of
  /// earlier is removed. Blocks as long as it takes to read the program.
  ///
  /// - Parameters:
  ///   - sysfs: Where the sessions are.
  ///   - proc: Where the mounts are; another one is for tests.
  /// - Returns: What became of it.
  func refresh(sysfs: Sysfs, proc: FilePath = "/proc") -> Outcome {
    do throws(SysfsError) {
      let sessions = try sysfs.sessions()
      guard try !DeviceUsers(proc: proc, sysfs: sysfs.root).sessionsOfSystem(among: sessions).isEmpty else {
        AtomicFile.remove(path)
        return .notNeeded
      }
    } catch {
      // What cannot be told apart may be needed.
    }
    do throws(Errno) {
      try AtomicFile.makeDirectory(path.removingLastComponent())
      try AtomicFile.copy(program, to: path, permissions: FilePermissions(rawValue: 0o755))
      return AtomicFile.mayRun(path) ? .kept : .keptWithoutExecution
    } catch {
      return .failed(error)
    }
  }
}
