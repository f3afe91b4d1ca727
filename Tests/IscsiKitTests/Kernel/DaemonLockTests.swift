// SPDX-License-Identifier: Apache-2.0
import Glibc
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("The daemon's lock")
struct DaemonLockTests {
  @Test("A folder that others can write to is no place for it, and it is said what to do", arguments: [0o720, 0o702])
  func unsafeFolder(mode: mode_t) async throws {
    let tree = try SysfsTree()
    try tree.makeDirectory("run")
    let folder = tree.root.appending("run")
    // The path is only read.
    #expect(unsafe chmod(folder.string, mode) == 0)
    guard case .impossible(let reason) = await DaemonLock.take(folder.appending("daemon.lock")) else {
      Issue.record("it was taken, or somebody has it")
      return
    }
    #expect(reason == (mode == 0o702 ? .writableByAll : .writableByGroup(getegid())))
    #expect(reason.advice(on: folder) == "find out who let them, then: chmod go-w \(folder)")
    #expect(unsafe chmod(folder.string, 0o755) == 0)
    guard case .held = await DaemonLock.take(folder.appending("daemon.lock")) else {
      Issue.record("it is not held")
      return
    }
  }
}
