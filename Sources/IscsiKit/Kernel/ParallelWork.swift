// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Dispatch
internal import Synchronization
internal import SystemPackage

/// Does parts of one piece of work at the same time, on as many processors as the process may use. The caller waits for all of it,
/// and works too: this is for programs that have nothing else to do.
enum ParallelWork {
  /// The most threads that work at a time; what they wait for in the kernel does not get faster with more.
  private static let limit = 8
  /// How many parts there are for each thread, so that none has to wait long for the others.
  private static let partsPerThread = 4

  /// What is made of parts of `count` things, in their order. Which thread does which part is not known before.
  ///
  /// - Parameters:
  ///   - count: How many things there are.
  ///   - size: How many are at least worth a part of their own.
  ///   - threads: How many may work; by default as many as there are processors for.
  ///   - makeWorker: Makes what a thread does its parts with, one after the other; it is made and used in that thread alone.
  ///     It gets the numbers of a part.
  /// - Returns: What comes of each part.
  static func map<Value: Sendable>(
    _ count: Int, inPartsOf size: Int, threads: Int? = nil,
    _ makeWorker: @escaping @Sendable () -> (Range<Int>) -> Value
  ) -> [Value] {
    guard count > 0 else { return [] }
    let threads = count > size ? threads ?? min(Int(clinux_processor_count()), limit) : 1
    guard threads > 1 else { return [makeWorker()(0..<count)] }
    let number = threads * partsPerThread
    let parts = Parts(count: count, size: max(size, (count + number - 1) / number), makeWorker)
    let ended = DispatchSemaphore(value: 0)
    var helpers = 0
    for _ in 1..<min(threads, parts.count) {
      do throws(Errno) {
        try DedicatedThread.start(named: "iscsi-part") {
          parts.work()
          ended.signal()
        }
        helpers += 1
      } catch {
        // Those that there are do it all.
        break
      }
    }
    parts.work()
    for _ in 0..<helpers { ended.wait() }
    return parts.values
  }

  /// The parts, of which each is done once.
  private final class Parts<Value: Sendable>: Sendable {
    let count: Int
    private let things: Int
    private let size: Int
    private let makeWorker: @Sendable () -> (Range<Int>) -> Value
    private let next = Atomic(0)
    private let done = Mutex<[(part: Int, value: Value)]>([])

    init(count things: Int, size: Int, _ makeWorker: @escaping @Sendable () -> (Range<Int>) -> Value) {
      count = (things + size - 1) / size
      self.things = things
      self.size = size
      self.makeWorker = makeWorker
    }

    /// Does parts as long as there are any that nobody does.
    func work() {
      let work = makeWorker()
      while true {
        let part = next.add(1, ordering: .relaxed).oldValue
        guard part < count else { return }
        let value = work(part * size..<min((part + 1) * size, things))
        done.withLock { $0.append((part, value)) }
      }
    }

    /// What came of them all.
    var values: [Value] { done.withLock { $0.sorted { $0.part < $1.part }.map(\.value) } }
  }
}
