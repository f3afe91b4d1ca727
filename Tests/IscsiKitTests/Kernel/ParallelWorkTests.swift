// SPDX-License-Identifier: Apache-2.0
import Glibc
import IscsiKitTesting
import Synchronization
import Testing

@testable import IscsiKit

@Suite("Work on all processors", .timeLimit(.minutes(1)))
struct ParallelWorkTests {
  @Test(
    "All is done once, and comes in its order, however much there is and whoever does it",
    arguments: [0, 1, 31, 32, 33, 257, 1000], [1, 2, 3, 8])
  func order(count: Int, threads: Int) {
    let parts = ParallelWork.map(count, inPartsOf: 32, threads: threads) { { Array($0) } }
    #expect(parts.flatMap(\.self) == Array(0..<count))
    #expect(parts.dropLast().allSatisfy { $0.count >= 32 })
  }

  @Test("A thread does its parts with what it has made, which no other has")
  func workers() {
    let made = Mutex(0)
    let parts = ParallelWork.map(10_000, inPartsOf: 10, threads: 4) {
      let worker = made.withLock { made in
        made += 1
        return made
      }
      var done = 0
      return { range in
        done += range.count
        return (worker: worker, count: range.count, done: done)
      }
    }
    for worker in 1...made.withLock(\.self) {
      let own = parts.filter { $0.worker == worker }
      #expect(own.map(\.done).max() ?? 0 == own.map(\.count).reduce(0, +))
    }
    #expect(made.withLock { (1...4).contains($0) } && parts.map(\.count).reduce(0, +) == 10_000)
  }

  @Test("Parts are done at the same time: each of two waits for the other")
  func sameTime() {
    let begun = Atomic(0)
    let both = ParallelWork.map(2, inPartsOf: 1, threads: 2) {
      { _ in
        begun.add(1, ordering: .relaxed)
        while begun.load(ordering: .relaxed) < 2 { usleep(100) }
        return true
      }
    }
    #expect(both == [true, true])
  }

  @Test("What the calling thread is to do meanwhile is done once", arguments: [0, 1, 40], [1, 2])
  func meanwhile(count: Int, threads: Int) {
    let caller = pthread_self()
    let done = Mutex<[Int]>([])
    var times = 0
    ParallelWork.inThreads(count, inPartsOf: 1, threads: threads, meanwhile: { times += 1 }) { nextPart in
      while let part = nextPart() {
        done.withLock { $0 += part }
        if threads == 1 { #expect(pthread_equal(caller, pthread_self()) != 0) }
      }
    }
    #expect(times == 1 && done.withLock { $0.sorted() } == Array(0..<count))
  }

  @Test("Sessions that are read by several threads are those that one reads")
  func sessions() throws {
    let tree = try SysfsTree()
    for number in 1...40 { try tree.add(.example(UInt32(number))) }
    let (one, all) = (Sysfs(root: tree.root), Sysfs(root: tree.root, usingAllProcessors: true))
    #expect(try one.sessions(.complete).count == 40)
    #expect(try all.sessions(.complete) == one.sessions(.complete))
    let none = try SysfsTree()
    #expect(try Sysfs(root: none.root, usingAllProcessors: true).sessions().isEmpty)
  }

  @Test("Each thread gives the sessions that it has read, by number, and none twice", arguments: [false, true])
  func sessionsOfThreads(usesAllProcessors: Bool) throws {
    let tree = try SysfsTree()
    for number in 1...40 { try tree.add(.example(UInt32(number))) }
    let given = Mutex<[[SessionID]]>([])
    let sysfs = Sysfs(root: tree.root, usingAllProcessors: usesAllProcessors)
    try sysfs.readSessions(.identity, of: nil) { sessions in given.withLock { $0.append(sessions.map(\.id)) } }
    let lists = given.withLock(\.self)
    #expect(lists.allSatisfy { !$0.isEmpty && $0 == $0.sorted() } && (usesAllProcessors || lists.count == 1))
    #expect(lists.flatMap(\.self).sorted() == (1...40).map(SessionID.init(rawValue:)))
    // What is not there is not given, and nothing for nothing.
    let (present, missing) = (SessionID(rawValue: 3), SessionID(rawValue: 41))
    try sysfs.readSessions(.identity, of: [present, missing]) { #expect($0.map(\.id) == [present]) }
    try sysfs.readSessions(.identity, of: [missing]) { _ in Issue.record("There is nothing to give") }
    try sysfs.readSessions(.identity, of: []) { _ in Issue.record("There is nothing to give") }
  }
}
