// SPDX-License-Identifier: Apache-2.0
import Glibc
import IscsiKit
import SystemPackage
import Testing

@Suite("Operation locks")
struct OperationLocksTests {
  @Test("A key is claimed once, here and elsewhere, until its release or the end of its holder")
  func exclusion() {
    let directory = Directory()
    var first: OperationLocks? = OperationLocks(directory: directory.path)
    let second = OperationLocks(directory: directory.path)
    #expect(first?.claim("login a") == .claimed)
    #expect(first?.claim("login a") == .taken)
    #expect(second.claim("login a") == .taken)
    #expect(second.claim("login b") == .claimed)
    #expect(first?.claim("login c") == .claimed)
    first?.release("login a")
    #expect(second.claim("login a") == .claimed)
    #expect(second.claim("login c") == .taken)
    first = nil
    #expect(second.claim("login c") == .claimed)
  }

  @Test("The release of a key that was not claimed takes it from nobody")
  func foreignRelease() {
    let directory = Directory()
    let first = OperationLocks(directory: directory.path)
    let second = OperationLocks(directory: directory.path)
    #expect(first.claim("a") == .claimed)
    second.release("a")
    #expect(second.claim("a") == .taken)
  }

  @Test("A thousand keys cost one descriptor")
  func descriptors() throws {
    let directory = Directory()
    let locks = OperationLocks(directory: directory.path)
    #expect((0..<1000).allSatisfy { locks.claim("login \($0)") == .claimed })
    let open = try (Int32(0)..<1024).filter { descriptor in
      var status = stat()
      return try unsafe fstat(descriptor, &status) == 0 && status.st_ino == directory.inodeOfLock()
    }
    #expect(open.count == 1)
  }

  @Test(
    "Where nobody can lock, a claim says so", arguments: ["/proc/no-such-place", "/no-such-place/below", "/dev/null/x"])
  func unusable(path: String) {
    #expect(OperationLocks(directory: FilePath(path)).claim("x") == .unavailable)
  }

  /// A folder of its own that goes with the test.
  private final class Directory {
    let path = FilePath("/tmp/iscsi-locks-\(getpid())-\(UInt64.random(in: 0...UInt64.max))")

    func inodeOfLock() throws -> ino_t {
      var status = stat()
      guard unsafe stat(path.appending("lock").string, &status) == 0 else { throw Errno(rawValue: errno) }
      return status.st_ino
    }

    deinit {
      _ = unsafe unlink(path.appending("lock").string)
      _ = unsafe rmdir(path.string)
    }
  }
}
