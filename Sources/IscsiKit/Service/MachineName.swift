// SPDX-License-Identifier: Apache-2.0
internal import Synchronization
internal import SystemPackage

/// The name of this machine as an initiator, for who names none, and its alias.
///
/// The file is read anew each time, since it may be changed, but not on a thread that others need: it may be on a disk
/// that hangs. Then, or if the disk fails, the last name that was read has to do.
final class MachineName: Sendable {
  private let fixed: InitiatorName?
  private let file: InitiatorNameFile
  private let timeout: Duration
  private let last = Mutex<InitiatorName?>(nil)
  private let lastAlias = Mutex<String?>(nil)
  /// What hangs holds up nothing but its like, and none of the process' files.
  private static let pool = BlockingWork(limit: 4, sharesFiles: false)

  /// The name that is given, or else that of a file, which may take `timeout` to be read.
  init(_ name: InitiatorName?, file: InitiatorNameFile, timeout: Duration = .seconds(5)) {
    fixed = name
    self.file = file
    self.timeout = timeout
  }

  /// What targets' administrators are shown beside the name, as it was read with that the last time; nil before that.
  var alias: String? { lastAlias.withLock { $0 } }

  /// Reads the name, and the alias with it.
  func read() async throws(InitiatorNameFileError) -> InitiatorName {
    if let fixed {
      // One look for the alias has to do.
      if alias == nil {
        _ = try? await look()
        lastAlias.withLock { $0 = $0 ?? InitiatorNameFile.hostName }
      }
      return fixed
    }
    let result: Result<InitiatorName, InitiatorNameFileError>
    do throws(WaitError) { result = try await look() } catch {
      if let known = last.withLock({ $0 }) { return known }
      throw .unreadable(path: file.path.string, error == .timedOut ? .timedOut : .canceled)
    }
    switch result {
    case .success(let name):
      last.withLock { $0 = name }
      return name
    case .failure(.unreadable(let path, let errno)) where errno != .noSuchFileOrDirectory:
      if let known = last.withLock({ $0 }) { return known }
      throw .unreadable(path: path, errno)
    case .failure(let error): throw error
    }
  }

  private func look() async throws(WaitError) -> Result<InitiatorName, InitiatorNameFileError> {
    try await Self.pool.run(until: .now + timeout) { [self] in
      let contents = file.contents()
      if let alias = contents.alias { lastAlias.withLock { $0 = alias } }
      return Result { () throws(InitiatorNameFileError) in try contents.name }
    }
  }
}
