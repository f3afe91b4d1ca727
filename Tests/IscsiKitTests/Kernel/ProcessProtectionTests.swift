// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Protection of the process")
struct ProcessProtectionTests {
  @Test("What is refused is told, and keeps nothing else from being done")
  func warnings() {
    let taken = Mutex<[ProcessProtection.Step]>([])
    let warnings = ProcessProtection.apply(ProcessProtection.Step.allCases) { (step) throws(Errno) in
      taken.withLock { $0.append(step) }
      if step == .presentMemory { throw .noMemory }
      if step == .flusher { throw .notPermitted }
    }
    #expect(taken.withLock { $0 } == ProcessProtection.Step.allCases)
    #expect(warnings == [.init(.presentMemory, .noMemory), .init(.flusher, .notPermitted)])
    #expect(
      warnings.map(\.description) == [
        "cannot lock the program in memory: ENOMEM (12, Cannot allocate memory)",
        "cannot be exempt from waiting for write-back: EPERM (1, Operation not permitted)",
      ])
  }

  @Test("Stacks are limited and present memory is locked before what comes later is")
  func order() throws {
    let steps = ProcessProtection.Step.allCases
    let present = try #require(steps.firstIndex(of: .presentMemory))
    let future = try #require(steps.firstIndex(of: .futureMemory))
    let stacks = try #require(steps.firstIndex(of: .stacks))
    #expect(stacks < present)
    #expect(present < future)
  }

  /// What goes into the thread of a test, and out of it.
  private final class Nested: Sendable {
    let text: [UInt8]
    let isSame = Mutex(false)
    init(_ text: String) { self.text = Array(text.utf8) }
  }

  @Test(
    "What is nested as deep as is taken is read and printed on half of a daemon's stack",
    arguments: [("[", "]"), (#"{"a":"#, "}")])
  func nesting(open: String, close: String) throws {
    let depth = JSONText.maxDepth
    let nested = Nested(String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth))
    // Room that the calls fill and read. Not a variable: to which of the C modules the structure's initializer belongs
    // depends on the files that are compiled together with this one.
    let attributes = UnsafeMutablePointer<pthread_attr_t>.allocate(capacity: 1)
    defer { unsafe attributes.deallocate() }
    unsafe pthread_attr_init(attributes)
    defer { unsafe pthread_attr_destroy(attributes) }
    let limited = unsafe pthread_attr_setstacksize(attributes, ProcessProtection.stackSize / 2)
    try #require(limited == 0)
    var thread = pthread_t()
    // The object lives until the thread has ended.
    let context = unsafe Unmanaged.passUnretained(nested).toOpaque()
    let number = unsafe pthread_create(
      &thread, attributes,
      { context in
        guard let context = unsafe context else { return nil }
        let nested = unsafe Unmanaged<Nested>.fromOpaque(context).takeUnretainedValue()
        let printed = try? JSONText.print(JSONText.parse(nested.text))
        nested.isSame.withLock { $0 = printed == nested.text }
        return nil
      }, context)
    try #require(number == 0)
    pthread_join(thread, nil)
    let isSame = nested.isSame.withLock { $0 }
    #expect(isSame)
  }

  @Test("The limit of open files is raised and never lowered")
  func openFiles() throws {
    func softLimit() -> UInt {
      var limit = rlimit()
      // The structure is a local variable that the call fills.
      _ = unsafe getrlimit(Int32(RLIMIT_NOFILE.rawValue), &limit)
      return limit.rlim_cur
    }
    let before = softLimit()
    try ProcessProtection.raiseOpenFiles(to: 1)
    #expect(softLimit() == before)
    // No process may have this many; what the hard limit allows is taken all the same.
    #expect(throws: Errno.self) { try ProcessProtection.raiseOpenFiles(to: UInt(Int32.max)) }
    #expect(softLimit() >= before)
  }
}
