// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Synchronization
import SystemPackage

/// Resumes tasks for threads that do not have the files of the process.
///
/// Who resumes a task may make the cooperative pool start a thread, and a thread has the files of the one that has started
/// it: tasks would run without files from then on. So such threads leave it to this one.
final class Courier: Sendable {
  /// The courier of the process; nil if there is no room for its thread.
  static let shared: Courier? = {
    let courier = Courier()
    do throws(Errno) { try DedicatedThread.start(named: "iscsi-courier") { courier.work() } } catch { return nil }
    return courier
  }()

  private let waiting = Mutex<[@Sendable () -> Void]>([])
  private let count = DispatchSemaphore(value: 0)

  /// Runs a closure on the courier's thread, which starts no thread by being asked.
  func run(_ body: @escaping @Sendable () -> Void) {
    waiting.withLock { $0.append(body) }
    count.signal()
  }

  private func work() {
    while true {
      count.wait()
      waiting.withLock { $0.isEmpty ? nil : $0.removeFirst() }?()
    }
  }
}
