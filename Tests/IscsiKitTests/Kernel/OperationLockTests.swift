// SPDX-License-Identifier: Apache-2.0
import Glibc
import IscsiKit
import IscsiKitTesting
import SystemPackage
import Testing

@Suite("Operation lock")
struct OperationLockTests {
  @Test("One key is held once, other keys at the same time, and the end of the holder frees it")
  func exclusion() throws {
    let directory = Directory()
    var first = try OperationLock.tryAcquire("login a", in: directory.path)
    #expect(first != nil)
    #expect(try OperationLock.tryAcquire("login a", in: directory.path) == nil)
    let other = try OperationLock.tryAcquire("login b", in: directory.path)
    #expect(other != nil)
    first = nil
    #expect(try OperationLock.tryAcquire("login a", in: directory.path) != nil)
    withExtendedLifetime(other) {}
  }

  @Test("A directory that cannot be made is an error")
  func unusable() {
    #expect(throws: Errno.self) { _ = try OperationLock.tryAcquire("x", in: "/proc/no-such-place") }
  }

  /// A folder of its own that goes with the test.
  private final class Directory {
    let path: FilePath
    init() { path = FilePath("/tmp/iscsi-lock-\(getpid())-\(UInt64.random(in: 0...UInt64.max))") }
    deinit {
      _ = unsafe unlink(path.appending("lock").string)
      _ = unsafe rmdir(path.string)
    }
  }
}
