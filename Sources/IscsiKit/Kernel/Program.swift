// SPDX-License-Identifier: Apache-2.0
internal import CLinux
// `pollfd` comes by this module, whose headers use it before Glibc's do.
internal import CNetlink
internal import Glibc
internal import SystemPackage

/// Why a program did not run to its end.
enum ProgramError: Error, Hashable {
  /// The system refused it.
  case notStarted(Errno)
  /// It took too long, and was killed.
  case timedOut
}

/// A program that is run without a shell, with nothing of our environment.
struct Program: Hashable, Sendable {
  /// How it ended.
  struct Outcome: Hashable, Sendable {
    /// Its exit code; 128 and the signal's number if one ended it.
    var status: Int32
    /// What it has written, up to the limit.
    var output: [UInt8]
  }

  /// Its path, and its arguments.
  let arguments: [String]
  /// Variables besides PATH, each `NAME=VALUE`.
  var environment: [String] = []
  /// How much of its output is kept, in octets.
  var outputLimit = 4096
  /// What it has written when there is no more to wait for; it is killed then. Empty waits for its end.
  var lastOutput = ""
  /// What it reads, from where the file is; nil is nothing.
  var input: FileDescriptor?
  /// Whether what it complains of is part of its output.
  var keepsErrors = true

  /// A program and its arguments.
  init(_ arguments: [String]) { self.arguments = arguments }

  /// Whether there is a program at a path.
  static func isThere(_ path: String) -> Bool {
    // The string becomes a C string for the call only.
    unsafe access(path, X_OK) == 0
  }

  /// Runs it, blocking until it ends, the deadline passes, or somebody stops it.
  func run(until deadline: ContinuousClock.Instant, _ stop: ProgramStop? = nil) throws(ProgramError) -> Outcome {
    var output: [UInt8] = []
    let status = try run(until: deadline, stop) { octets in
      output.append(contentsOf: octets.prefix(outputLimit - output.count))
      return !lastOutput.isEmpty && String(decoding: output, as: UTF8.self).contains(lastOutput)
    }
    return Outcome(status: status, output: output)
  }

  /// The same for output of any length.
  ///
  /// - Parameters:
  ///   - deadline: When it is killed.
  ///   - stop: Kills it before that.
  ///   - take: Takes what has come, and tells whether that was enough; the program is killed then.
  /// - Returns: Its exit code; 128 and the signal's number if one ended it.
  /// - Throws: Why it did not run to its end.
  func run(
    until deadline: ContinuousClock.Instant, _ stop: ProgramStop? = nil, _ take: (ArraySlice<UInt8>) -> Bool
  ) throws(ProgramError) -> Int32 {
    let pipe: (readEnd: FileDescriptor, writeEnd: FileDescriptor)
    do {
      pipe = try FileDescriptor.pipe(options: .closeOnExec)
    } catch {
      throw .notStarted(error)
    }
    let child = spawn(output: pipe.writeEnd)
    try? pipe.writeEnd.close()
    defer { try? pipe.readEnd.close() }
    let process: pid_t
    switch child {
    case .success(let number): process = number
    case .failure(let errno): throw .notStarted(errno)
    }
    // The program's end closes the pipe, and a pipe can be waited for with a limit, unlike a process.
    stop?.begin(process)
    let end = Self.read(pipe.readEnd, until: deadline, stop, take)
    if end != .file { kill(process, SIGKILL) }
    // One that has closed its output may go on for ever, and can be stopped until it has ended.
    let hasEnded = end != .deadline && Self.wait(for: process, until: deadline)
    stop?.end()
    guard hasEnded else {
      kill(process, SIGKILL)
      // A program that hangs in the kernel does not die at once: who waits for that is not the caller.
      try? DedicatedThread.start(named: "iscsi-reaper") { _ = Self.collect(process) }
      if end == .enough { return 128 + SIGKILL }
      throw .timedOut
    }
    // A program whose signals ignore SIGCHLD has no status to collect.
    let status = Self.collect(process) ?? 0
    return status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
  }

  /// Waits until a process has ended, whose status stays to be collected: its number is nobody else's until then. False at the deadline.
  private static func wait(for process: pid_t, until deadline: ContinuousClock.Instant) -> Bool {
    // Most end with their output.
    var pause: UInt32 = 500
    while true {
      var information = unsafe siginfo_t()
      // The information is a local variable; its signal is 0 as long as nothing has ended.
      let result = unsafe waitid(P_PID, id_t(process), &information, WEXITED | WNOHANG | WNOWAIT)
      if result != 0, errno != EINTR { return true }
      if result == 0, unsafe information.si_signo != 0 { return true }
      guard .now < deadline else { return false }
      usleep(pause)
      pause = min(2 * pause, 50_000)
    }
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

  private func spawn(output: FileDescriptor) -> Result<pid_t, Errno> {
    var actions = unsafe posix_spawn_file_actions_t()
    // All pointers below are valid for their calls: the actions and strings are freed after posix_spawn returns.
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    if let input {
      unsafe posix_spawn_file_actions_adddup2(&actions, input.rawValue, 0)
    } else {
      unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    }
    unsafe posix_spawn_file_actions_adddup2(&actions, output.rawValue, 1)
    if keepsErrors {
      unsafe posix_spawn_file_actions_adddup2(&actions, output.rawValue, 2)
    } else {
      unsafe posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    }
    // This thread blocks signals, and the program that uses this library may ignore some: the new one must not inherit it.
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
    let variables = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"] + environment
    var envp: [UnsafeMutablePointer<CChar>?] = unsafe variables.map { unsafe strdup($0) } + [nil]
    defer { unsafe (argv + envp).forEach { unsafe free($0) } }
    var process = pid_t()
    let number = unsafe posix_spawn(&process, arguments[0], &actions, &attributes, &argv, &envp)
    return number == 0 ? .success(process) : .failure(Errno(rawValue: number))
  }

  /// How often it is looked whether a program was stopped.
  private static let stopPace = Duration.milliseconds(100)

  /// Why the reading ended.
  private enum ReadEnd { case file, enough, deadline }

  /// Reads until the end of the file, what is waited for, or the deadline. Children of a program that was stopped may keep the
  /// file open.
  private static func read(
    _ file: FileDescriptor, until deadline: ContinuousClock.Instant, _ stop: ProgramStop?,
    _ take: (ArraySlice<UInt8>) -> Bool
  ) -> ReadEnd {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      if stop?.isStopped == true { return .enough }
      let left = max(.zero, min(ContinuousClock.now.duration(to: deadline), stop == nil ? .seconds(3600) : stopPace))
      var descriptor = pollfd(fd: file.rawValue, events: Int16(POLLIN), revents: 0)
      let milliseconds = Int32(
        clamping: left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000)
      // Descriptor and buffer are local variables; the calls write no more than their lengths.
      let ready = unsafe poll(&descriptor, 1, milliseconds)
      if ready == 0 {
        guard .now < deadline else { return .deadline }
        continue
      }
      if ready < 0 {
        if errno == EINTR { continue }
        return .deadline
      }
      guard let count = try? unsafe buffer.withUnsafeMutableBytes({ try unsafe file.read(into: $0) }), count > 0 else {
        return .file
      }
      if take(buffer.prefix(count)) { return .enough }
    }
  }
}
