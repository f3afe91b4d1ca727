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
    let done = Mutex<[(first: Int, value: Value)]>([])
    inThreads(count, inPartsOf: size, threads: threads) { nextPart in
      let work = makeWorker()
      while let part = nextPart() {
        let value = work(part)
        done.withLock { $0.append((part.lowerBound, value)) }
      }
    }
    return done.withLock { $0.sorted { $0.first < $1.first }.map(\.value) }
  }

  /// Lets threads do `count` things, of which each takes parts until there are none that nobody does.
  ///
  /// - Parameters:
  ///   - count: How many things there are; nothing is called for none.
  ///   - size: How many are at least worth a part of their own.
  ///   - threads: How many may work; by default as many as there are processors for.
  ///   - meanwhile: What the calling thread does first, when the others have been started; also if there is nothing to do.
  ///   - body: What each thread does, with what gives it the numbers of its next part.
  static func inThreads(
    _ count: Int, inPartsOf size: Int, threads: Int? = nil, meanwhile: () -> Void = {},
    _ body: @escaping @Sendable (_ nextPart: () -> Range<Int>?) -> Void
  ) {
    guard count > 0 else { return meanwhile() }
    let threads = count > size ? threads ?? min(Int(clinux_processor_count()), limit) : 1
    // One alone has one part.
    let number = threads > 1 ? threads * partsPerThread : 1
    let size = max(size, (count + number - 1) / number)
    let next = Atomic(0)
    let work = { @Sendable in
      body {
        let first = next.add(size, ordering: .relaxed).oldValue
        return first < count ? first..<min(first + size, count) : nil
      }
    }
    let ended = DispatchSemaphore(value: 0)
    var helpers = 0
    for _ in 1..<max(1, min(threads, (count + size - 1) / size)) {
      do throws(Errno) {
        try DedicatedThread.start(named: "iscsi-part") {
          work()
          ended.signal()
        }
        helpers += 1
      } catch {
        // Those that there are do it all.
        break
      }
    }
    meanwhile()
    work()
    for _ in 0..<helpers { ended.wait() }
  }
}
