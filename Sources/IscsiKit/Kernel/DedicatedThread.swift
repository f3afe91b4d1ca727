// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc
internal import SystemPackage

/// Threads for calls that block, so that none of them holds a thread of Swift's cooperative pool.
enum DedicatedThread {
  /// Carries a closure through the `void *` of `pthread_create`.
  private final class Start: Sendable {
    let name: String
    let body: @Sendable () -> Void
    init(_ name: String, _ body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }

  /// Gives the calling thread a table of open files of its own, which begins without those of the process.
  ///
  /// A thread that sleeps in the kernel outlives its killed process, and keeps what it shares with it. Without this it
  /// would keep sockets too: the next daemon would find the name of a dead one taken, for as long as a disk hangs.
  /// Before Linux 5.9 it does.
  static func leaveFiles() {
    _ = clinux_leave_files()
  }

  /// Starts a detached thread that runs a closure. All signals are blocked in it: they are the main program's.
  ///
  /// - Parameters:
  ///   - name: What `ps -L` shows; the kernel cuts at 15 octets.
  ///   - stackSize: Its stack in octets; nil is the process' default.
  ///   - body: What it runs.
  /// - Throws: What `pthread_create` answers, as when the machine has no room for a thread.
  static func start(
    named name: String, stackSize: Int? = nil, _ body: @escaping @Sendable () -> Void
  ) throws(Errno) {
    var all = sigset_t()
    var previous = sigset_t()
    // The sets are local variables that the calls fill and read. A new thread inherits the mask.
    unsafe sigfillset(&all)
    unsafe pthread_sigmask(SIG_SETMASK, &all, &previous)
    defer { unsafe pthread_sigmask(SIG_SETMASK, &previous, nil) }
    // The reference that is retained here is taken over by the thread, or released below if there is none.
    let context = unsafe Unmanaged.passRetained(Start(name, body))
    var thread = pthread_t()
    let number = unsafe clinux_start_thread(
      &thread, stackSize ?? 0,
      { context in
        guard let context = unsafe context else { return nil }
        let start = unsafe Unmanaged<Start>.fromOpaque(context).takeRetainedValue()
        // The string is lent to the call, and the kernel copies it.
        unsafe clinux_set_thread_name(start.name)
        start.body()
        return nil
      }, context.toOpaque())
    guard number == 0 else {
      unsafe context.release()
      throw Errno(rawValue: number)
    }
    pthread_detach(thread)
  }

  /// Runs a blocking closure on a thread of its own, and returns what it returns.
  static func run<Value: Sendable>(
    _ body: @escaping @Sendable () throws(KernelError) -> Value
  ) async throws(KernelError) -> Value {
    let result = await withCheckedContinuation {
      (continuation: CheckedContinuation<Result<Value, KernelError>, Never>) in
      do throws(Errno) {
        try start(named: "iscsi-blocking") {
          do throws(KernelError) {
            continuation.resume(returning: .success(try body()))
          } catch {
            continuation.resume(returning: .failure(error))
          }
        }
      } catch {
        continuation.resume(returning: .failure(.system(.startThread, error)))
      }
    }
    return try result.get()
  }
}
