// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
public import SystemPackage

/// What lets the daemon work on while the machine is short of memory and its disks, swap and root file system among
/// them, cannot be reached: it is the daemon that must bring them back.
public enum ProcessProtection {
  /// One measure, in the order in which they are taken.
  public enum Step: String, Hashable, Sendable, CaseIterable {
    /// One heap for all threads: each further one reserves 64 MiB of address space and pages of its own.
    case arenas = "use one heap"
    /// Stacks of 128 KiB for threads to come, where 8 MiB is the usual.
    case stacks = "limit the stacks of threads"
    /// All that is mapped now is read in and stays (`mlockall(MCL_CURRENT)`): program, libraries, heap.
    case presentMemory = "lock the program in memory"
    /// What is mapped from now on stays from when it is touched (`MCL_FUTURE | MCL_ONFAULT`): a stack takes the pages
    /// that its thread has used, not all of its size. Only without a limit of locked memory.
    case futureMemory = "lock memory that is allocated later"
    /// Allocations never wait for data to be written out (`PR_SET_IO_FLUSHER`, Linux 5.6). It is a property of a thread,
    /// which threads that it starts inherit.
    case flusher = "be exempt from waiting for write-back"
    /// The kernel ends any other process first (`oom_score_adj` -1000).
    case outOfMemory = "be exempt from the out-of-memory killer"
    /// Descriptors for some thousand sessions.
    case openFiles = "raise the limit of open files"
    /// A priority above ordinary processes (nice -10).
    case priority = "raise the priority"
  }

  /// A measure that could not be taken. The daemon works without it, with less protection.
  public struct Warning: Hashable, Sendable, CustomStringConvertible {
    /// The measure.
    public let step: Step
    /// Why it was refused.
    public let errno: Errno

    /// A warning from its parts.
    public init(_ step: Step, _ errno: Errno) {
      self.step = step
      self.errno = errno
    }

    /// The measure and the reason.
    public var description: String { "cannot \(step.rawValue): \(errno.label)" }
  }

  /// Takes one measure; a function so that tests see what is done without it being done to them.
  typealias Measure = @Sendable (Step) throws(Errno) -> Void

  /// The soft limit of open files that is asked for.
  static let openFiles: UInt = 16_384
  /// The stack of a thread, where it asks for no other. 32 KiB are used of one at most; JSON nested as deep as is taken
  /// needs less than half.
  static let stackSize = 128 << 10

  /// Takes all measures, and tells which were refused.
  ///
  /// Call it in the main thread while it is the only one, and before the first task: Swift's own threads, too, have the
  /// properties of the thread that starts them. A process that it starts later keeps most of them; what is started must
  /// give them up where that matters.
  public static func apply() -> [Warning] { apply(Step.allCases) { (step) throws(Errno) in try take(step) } }

  /// Takes measures one by one; one that is refused does not keep the others from being taken.
  static func apply(_ steps: [Step], _ take: Measure) -> [Warning] {
    steps.compactMap { step in
      do throws(Errno) {
        try take(step)
        return nil
      } catch {
        return Warning(step, error)
      }
    }
  }

  private static func take(_ step: Step) throws(Errno) {
    switch step {
    case .arenas: if clinux_use_one_arena() != 1 { throw .invalidArgument }
    case .stacks:
      let number = clinux_set_default_stack(stackSize)
      if number != 0 { throw Errno(rawValue: number) }
    case .presentMemory: try check(mlockall(MCL_CURRENT))
    case .futureMemory:
      // The kernel accepts the lock with a limit too, and then refuses memory when the limit is reached.
      try unlimitLockedMemory()
      try check(clinux_lock_future_memory())
    case .flusher: try check(clinux_set_io_flusher())
    case .outOfMemory: try write("-1000", to: "/proc/self/oom_score_adj")
    case .openFiles: try raiseOpenFiles(to: openFiles)
    case .priority: try check(setpriority(Int32(PRIO_PROCESS.rawValue), 0, -10))
    }
  }

  /// Raises the soft limit of open files, and the hard one where that is lower; never lowers one.
  static func raiseOpenFiles(to number: UInt) throws(Errno) {
    var limit = rlimit()
    // The structure is a local variable that the calls fill and read.
    try check(unsafe getrlimit(Int32(RLIMIT_NOFILE.rawValue), &limit))
    guard limit.rlim_cur < number else { return }
    let hard = limit.rlim_max
    limit.rlim_cur = rlim_t(number)
    limit.rlim_max = max(hard, rlim_t(number))
    if unsafe setrlimit(Int32(RLIMIT_NOFILE.rawValue), &limit) == 0 { return }
    let refusal = Errno(rawValue: errno)
    // What is allowed is taken.
    limit.rlim_cur = hard
    limit.rlim_max = hard
    _ = unsafe setrlimit(Int32(RLIMIT_NOFILE.rawValue), &limit)
    throw refusal
  }

  /// Makes sure that no limit of locked memory holds for this process: by raising it, or by what the kernel has shown.
  private static func unlimitLockedMemory() throws(Errno) {
    let resource = Int32(__RLIMIT_MEMLOCK.rawValue)
    var limit = rlimit()
    // The structure is a local variable that the calls fill and read.
    try check(unsafe getrlimit(resource, &limit))
    guard limit.rlim_cur != rlim_t.max else { return }
    var unlimited = rlimit(rlim_cur: .max, rlim_max: .max)
    if unsafe setrlimit(resource, &unlimited) == 0 { return }
    let refusal = Errno(rawValue: errno)
    // CAP_IPC_LOCK exempts from the limit, but not in a user namespace, where the process seems to have it: a process
    // that may lock more than the limit, all that it has, is exempt.
    guard mappedOctets() > limit.rlim_cur, mlockall(MCL_CURRENT) == 0 else { throw refusal }
  }

  /// What is mapped now, in octets; 0 if that cannot be read.
  private static func mappedOctets() -> UInt {
    guard let octets = try? FileContents(of: "/proc/self/statm", limit: 256).octets,
      let pages = String(decoding: octets, as: UTF8.self).split(separator: " ").first.flatMap({ UInt($0) })
    else { return 0 }
    return pages.multipliedReportingOverflow(by: UInt(sysconf(Int32(_SC_PAGESIZE)))).partialValue
  }

  private static func write(_ text: String, to path: FilePath) throws(Errno) {
    do {
      let file = try FileDescriptor.open(path, .writeOnly, options: .closeOnExec)
      _ = try file.closeAfter { try file.writeAll(text.utf8) }
    } catch {
      throw error as? Errno ?? .ioError
    }
  }

  private static func check(_ result: Int32) throws(Errno) {
    guard result == 0 else { throw Errno(rawValue: errno) }
  }
}
