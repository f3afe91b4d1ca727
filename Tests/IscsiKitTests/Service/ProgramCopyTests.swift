// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("The program's copy in memory")
struct ProgramCopyTests {
  private static let swapHeading = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"

  /// A machine with one session's disk, mounted there; its program has these octets.
  private func tree(mountedAt path: String, program: [UInt8]) throws -> SysfsTree {
    let tree = try SysfsTree()
    var session = SessionSnapshot.example(1)
    session.devices[0].blockDevice = "sda"
    try tree.add(session)
    try tree.addBlockDevice("sda", number: "8:0")
    try tree.makeDirectory("proc/self")
    try tree.makeDirectory("run")
    try tree.set("proc/self/mountinfo", to: .text("22 1 8:0 / \(path) rw - ext4 /dev/root rw"))
    try tree.set("proc/swaps", to: .text(Self.swapHeading))
    try AtomicFile.write(program, to: tree.root.appending("program"))
    return tree
  }

  private func refresh(_ tree: borrowing SysfsTree) -> ProgramCopy.Outcome {
    ProgramCopy(program: tree.root.appending("program"), path: tree.root.appending("run/iscsi-admin"))
      .refresh(sysfs: Sysfs(root: tree.root), proc: tree.root.appending("proc"))
  }

  @Test("With the root file system on a session's disk there is a whole copy, which can be run")
  func kept() throws {
    let program = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
    let tree = try tree(mountedAt: "/", program: program)
    try tree.set("run/iscsi-admin", to: .text("an older one, which some process may still run"))
    #expect(refresh(tree) == .kept)
    let copy = tree.root.appending("run/iscsi-admin")
    #expect(try FileContents(of: copy, limit: 4 << 20).octets == program)
    #expect(AtomicFile.mayRun(copy))
    #expect(try SysfsDirectory(path: tree.root.appending("run")).names() == ["iscsi-admin"])
  }

  @Test("With another root file system there is none, and one of earlier is removed")
  func notNeeded() throws {
    let tree = try tree(mountedAt: "/srv", program: [1, 2, 3])
    try tree.set("run/iscsi-admin", to: .text("of earlier"))
    #expect(refresh(tree) == .notNeeded)
    #expect(try SysfsDirectory(path: tree.root.appending("run")).names() == [])
  }

  @Test("A program that cannot be read leaves what there is")
  func unreadable() throws {
    let tree = try tree(mountedAt: "/", program: [1, 2, 3])
    try tree.set("run/iscsi-admin", to: .text("of earlier"))
    tree.remove("program")
    #expect(refresh(tree) == .failed(.noSuchFileOrDirectory))
    #expect(try SysfsDirectory(path: tree.root.appending("run")).names() == ["iscsi-admin"])
  }
}
