// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import Synchronization
public import SystemPackage

/// Why a process could not go to the background.
public enum DaemonStartError: DiagnosableError, Hashable {
  /// The system refused it.
  case background(Errno)
  /// The pid file cannot be written.
  case pidFile(FilePath, Errno)
  /// Another process holds the pid file.
  case running(FilePath)

  /// The reason in words.
  public var description: String {
    switch self {
    case .background(let errno): "cannot go to the background: \(errno)"
    case .pidFile(let path, let errno): "the pid file \(path) cannot be written: \(errno)"
    case .running(let path): "another daemon holds the pid file \(path)"
    }
  }

  /// 28 if another daemon runs, else 1.
  public var exitStatus: ExitStatus { if case .running = self { .busy } else { .failure } }
}

/// The process in the background.
public struct BackgroundProcess: Sendable {
  /// The end of a pipe at whose other end the starter waits.
  private let starter: FileDescriptor

  /// Goes on in a child without terminal and with working directory `/`; the process that calls waits for ``ready()``, and
  /// ends with 0 then, or as the child does that ends before. Only before the first thread is started: a child has none
  /// of its parent's.
  public static func start() throws(DaemonStartError) -> BackgroundProcess {
    var descriptor: Int32 = -1
    // The call fills the variable.
    guard unsafe clinux_go_to_background(&descriptor) == 0 else { throw .background(Errno(rawValue: errno)) }
    return BackgroundProcess(starter: FileDescriptor(rawValue: descriptor))
  }

  /// Lets the starter end. Until now errors went where its own go; from now on they go nowhere.
  public func ready() {
    clinux_leave_terminal()
    _ = try? starter.writeAll([0])
    try? starter.close()
  }
}

/// A file that tells a daemon's process number, locked as open-iscsi's daemon locks it as long as the process lives.
public final class PIDFile: Sendable {
  private let path: FilePath
  private let file: FileDescriptor
  private let isWritten = Atomic(false)

  /// Locks the file, which is as it was until ``write()``.
  public init(path: FilePath) throws(DaemonStartError) {
    self.path = path
    let file: FileDescriptor
    do {
      file = try FileDescriptor.open(
        path, .readWrite, options: [.create, .closeOnExec, .noFollow],
        permissions: [.ownerReadWrite, .groupRead, .otherRead])
    } catch {
      throw .pidFile(path, error as? Errno ?? .ioError)
    }
    self.file = file
    var lock = flock()
    lock.l_type = Int16(F_WRLCK)
    // The struct is lent to the call.
    guard unsafe fcntl(file.rawValue, F_SETLK, &lock) == 0 else {
      try? file.close()
      throw .running(path)
    }
  }

  /// Writes the number of this process, when it has become the daemon.
  public func write() throws(DaemonStartError) {
    do {
      try file.resize(to: 0)
      try file.writeAll(toAbsoluteOffset: 0, "\(getpid())\n".utf8)
    } catch {
      throw .pidFile(path, error as? Errno ?? .ioError)
    }
    isWritten.store(true, ordering: .relaxed)
  }

  /// Removes the file, at the end of the daemon; one that was not written is another's.
  public func remove() {
    if isWritten.load(ordering: .relaxed) { AtomicFile.remove(path) }
  }

  deinit { try? file.close() }
}
