// SPDX-License-Identifier: Apache-2.0
internal import CLinux
// `pollfd` comes by this module, whose headers use it before Glibc's do.
internal import CNetlink
internal import Glibc
public import SystemPackage

/// Why a program did not run to its end.
public enum ChildProcessError: Error, Hashable {
  /// It could not be started.
  case notStarted(Errno)
  /// It took too long, and was killed.
  case timedOut
}

/// A program of the system's: run without a shell, with no input, a path of the system's folders and no other variable.
public enum ChildProcess {
  /// How a program ended.
  public struct End: Hashable, Sendable {
    /// Its status; 128 and the signal's number if a signal ended it.
    public let status: Int32
    /// The last line that it wrote, to standard output or standard error.
    public let lastLine: String
  }

  /// Runs a program and waits for its end, blocking.
  ///
  /// - Parameters:
  ///   - arguments: Its path, and what follows.
  ///   - deadline: When it is killed.
  /// - Returns: How it ended.
  /// - Throws: Why it did not.
  public static func run(
    _ arguments: [String], until deadline: ContinuousClock.Instant
  ) throws(ChildProcessError) -> End {
    guard !arguments.isEmpty else { throw .notStarted(.invalidArgument) }
    let pipe: (readEnd: FileDescriptor, writeEnd: FileDescriptor)
    do {
      pipe = try FileDescriptor.pipe(options: .closeOnExec)
    } catch {
      throw .notStarted(error)
    }
    let child: Result<pid_t, Errno> = spawn(arguments, output: pipe.writeEnd)
    try? pipe.writeEnd.close()
    defer { try? pipe.readEnd.close() }
    let process: pid_t
    switch child {
    case .success(let number): process = number
    case .failure(let errno): throw .notStarted(errno)
    }
    // The program's end closes the pipe, and a pipe can be waited for with a limit, unlike a process.
    let (output, ended) = read(pipe.readEnd, until: deadline)
    guard ended else {
      kill(process, SIGKILL)
      // A program that hangs in the kernel does not die at once: who waits for that is not the caller.
      try? DedicatedThread.start(named: "iscsi-reaper") { _ = collect(process) }
      throw .timedOut
    }
    // Where SIGCHLD is ignored there is no status to collect: the caller sees what has come of it.
    guard let status = collect(process) else { return End(status: 0, lastLine: "") }
    let exited = status & 0x7F == 0
    return End(status: exited ? (status >> 8) & 0xFF : 128 + (status & 0x7F), lastLine: lastLine(of: output))
  }

  /// Waits for a process to end; nil if its status went elsewhere.
  private static func collect(_ process: pid_t) -> Int32? {
    var status: Int32 = 0
    while true {
      // The status is a local variable.
      let waited = unsafe waitpid(process, &status, 0)
      if waited == process { return status }
      guard waited < 0, errno == EINTR else { return nil }
    }
  }

  private static func spawn(_ arguments: [String], output: FileDescriptor) -> Result<pid_t, Errno> {
    var actions = unsafe posix_spawn_file_actions_t()
    // All pointers below are valid for their calls: the actions and strings are freed after posix_spawn returns.
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, output.rawValue, 1)
    unsafe posix_spawn_file_actions_adddup2(&actions, output.rawValue, 2)
    // This thread blocks signals, and the program that uses this library may ignore some: its programs must not inherit it.
    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    unsafe posix_spawnattr_setsigmask(&attributes, &signals)
    unsafe sigfillset(&signals)
    unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    var argv: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { unsafe strdup($0) } + [nil]
    var environment: [UnsafeMutablePointer<CChar>?] = unsafe [strdup("PATH=/usr/sbin:/usr/bin:/sbin:/bin"), nil]
    defer { unsafe (argv + environment).forEach { unsafe free($0) } }
    var process = pid_t()
    let number = unsafe posix_spawn(&process, arguments[0], &actions, &attributes, &argv, &environment)
    return number == 0 ? .success(process) : .failure(Errno(rawValue: number))
  }

  /// Reads until the end of the file or the deadline; no more than 4 KiB are kept.
  private static func read(
    _ file: FileDescriptor, until deadline: ContinuousClock.Instant
  ) -> (octets: [UInt8], ended: Bool) {
    var kept: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1024)
    while true {
      let left = max(.zero, ContinuousClock.now.duration(to: deadline))
      var descriptor = pollfd(fd: file.rawValue, events: Int16(POLLIN), revents: 0)
      let milliseconds = Int32(
        clamping: left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000)
      // Descriptor and buffer are local variables; the calls write no more than their lengths.
      let ready = unsafe poll(&descriptor, 1, milliseconds)
      if ready == 0 { return (kept, false) }
      if ready < 0 {
        if errno == EINTR { continue }
        return (kept, false)
      }
      guard let count = try? unsafe buffer.withUnsafeMutableBytes({ try unsafe file.read(into: $0) }), count > 0 else {
        return (kept, true)
      }
      kept.append(contentsOf: buffer.prefix(min(count, 4096 - kept.count)))
    }
  }

  private static func lastLine(of octets: [UInt8]) -> String {
    let lines = octets.split { $0 == 0x0A || $0 == 0x0D }
    return String(decoding: lines.last ?? [], as: UTF8.self)
  }
}
