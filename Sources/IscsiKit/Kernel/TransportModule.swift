// SPDX-License-Identifier: Apache-2.0

internal import CLinux
// `pollfd` comes by this module, whose headers use it before Glibc's do.
internal import CNetlink
internal import Glibc
internal import SystemPackage

extension TransportHandle {
  /// Reads `class/iscsi_transport/tcp/handle` below a sysfs root. The kernel checks for CAP_SYS_ADMIN at every read.
  static func read(sysfs root: FilePath) throws(KernelError) -> TransportHandle {
    let path = TransportModule.directory(in: root).appending("handle")
    var octets = [UInt8](repeating: 0, count: 32)
    let length: Int
    do {
      let file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
      length = try file.closeAfter {
        // The array lives through the call, which writes no more than its length.
        try unsafe octets.withUnsafeMutableBytes { try unsafe file.read(into: $0) }
      }
    } catch {
      switch error as? Errno {
      case .permissionDenied?: throw .notPermitted(.readHandle, .permissionDenied)
      case .notPermitted?: throw .notPermitted(.readHandle, .notPermitted)
      case let errno?: throw .system(.readHandle, errno)
      case nil: throw .malformed(path: path.string)
      }
    }
    let digits = octets.prefix(length).prefix { $0 != 0x0A }
    guard let number = UInt64(String(decoding: digits, as: UTF8.self)) else { throw .malformed(path: path.string) }
    return TransportHandle(rawValue: number)
  }
}

/// The kernel module that makes the transport `tcp`; opening the netlink socket does not load it.
enum TransportModule {
  /// Where modprobe is looked for: not in PATH, since this runs as root.
  static let modprobePaths = ["/sbin/modprobe", "/usr/sbin/modprobe", "/bin/modprobe", "/usr/bin/modprobe"]

  /// The directory that the transport `tcp` has in sysfs.
  static func directory(in root: FilePath) -> FilePath {
    root.appending("class").appending("iscsi_transport").appending("tcp")
  }

  /// Loads the module unless the transport is there already; tells whether it did. Blocks until modprobe ends or the
  /// deadline passes.
  static func load(
    sysfs root: FilePath, modprobe paths: [String] = modprobePaths, until deadline: ContinuousClock.Instant
  ) throws(KernelError) -> Bool {
    try load("iscsi_tcp", making: directory(in: root), modprobe: paths, until: deadline)
  }

  /// Loads a module unless what it makes is there already; tells whether it did. Blocks likewise.
  static func load(
    _ module: String, making path: FilePath, modprobe paths: [String] = modprobePaths,
    until deadline: ContinuousClock.Instant
  ) throws(KernelError) -> Bool {
    guard !isAccessible(path.string, F_OK) else { return false }
    guard let modprobe = paths.first(where: { isAccessible($0, X_OK) }) else { throw .moduleMissing(.noModprobe) }
    let (status, message) = try run([modprobe, module], until: deadline)
    // Whatever modprobe says: what it makes is there or it is not.
    guard !isAccessible(path.string, F_OK) else { return true }
    throw .moduleMissing(status == 0 ? .noEffect : .failed(status: status, message: message))
  }

  private static func isAccessible(_ path: String, _ mode: Int32) -> Bool {
    // The string becomes a C string for the call only.
    unsafe access(path, mode) == 0
  }

  /// Runs a program without a shell, and returns its status and what it wrote.
  private static func run(
    _ arguments: [String], until deadline: ContinuousClock.Instant
  ) throws(KernelError) -> (status: Int32, message: String) {
    let pipe: (readEnd: FileDescriptor, writeEnd: FileDescriptor)
    do {
      pipe = try FileDescriptor.pipe(options: .closeOnExec)
    } catch {
      throw .moduleMissing(.notStarted(error))
    }
    let child: Result<pid_t, Errno> = spawn(arguments, output: pipe.writeEnd)
    try? pipe.writeEnd.close()
    defer { try? pipe.readEnd.close() }
    let process: pid_t
    switch child {
    case .success(let number): process = number
    case .failure(let errno): throw .moduleMissing(.notStarted(errno))
    }
    // The program's end closes the pipe, and a pipe can be waited for with a limit, unlike a process.
    let (output, ended) = read(pipe.readEnd, until: deadline)
    guard ended else {
      kill(process, SIGKILL)
      // A program that hangs in the kernel does not die at once: who waits for that is not the caller.
      try? DedicatedThread.start(named: "iscsi-reaper") { _ = collect(process) }
      throw .moduleMissing(.timedOut)
    }
    // A program whose signals ignore SIGCHLD has no status to collect: sysfs decides then.
    guard let status = collect(process) else { return (0, "") }
    let exited = status & 0x7F == 0
    return (exited ? (status >> 8) & 0xFF : 128 + (status & 0x7F), lastLine(of: output))
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
    // This thread blocks signals, and the program that uses this library may ignore some: modprobe must not inherit it.
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
