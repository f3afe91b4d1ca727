// SPDX-License-Identifier: Apache-2.0

import Glibc
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

private var soon: ContinuousClock.Instant { .now + .seconds(20) }

/// A directory in the place of sysfs, removed with its last reference.
private final class Scratch {
  let root: FilePath

  init() throws {
    root = FilePath("/tmp/iscsikit-\(getpid())-\(UInt64.random(in: 0...UInt64.max))")
    try makeDirectory(root)
  }

  deinit { try? spawn("/bin/rm", "-rf", root.string) }

  /// Makes `class/iscsi_transport/tcp`, with a handle file if there is a text for it.
  func addTransport(handle: String?) throws {
    try spawn("/bin/mkdir", "-p", TransportModule.directory(in: root).string)
    if let handle { try write(handle, to: TransportModule.directory(in: root).appending("handle")) }
  }

  /// Makes a shell script in the place of modprobe.
  func addScript(_ text: String) throws -> String {
    let path = root.appending("modprobe")
    try TestProcess.makeScript(text, at: path.string)
    return path.string
  }

  private func makeDirectory(_ path: FilePath) throws { try spawn("/bin/mkdir", "-p", path.string) }

  private func write(_ text: String, to path: FilePath) throws {
    let file = try FileDescriptor.open(
      path, .writeOnly, options: [.create, .truncate], permissions: [.ownerReadWrite])
    try file.closeAfter { _ = try file.writeAll(text.utf8) }
  }

  private func spawn(_ arguments: String...) throws {
    // The strings are freed after the call that reads them.
    var argv: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { unsafe strdup($0) } + [nil]
    defer { unsafe argv.forEach { unsafe free($0) } }
    var process = pid_t()
    #expect(unsafe posix_spawn(&process, arguments[0], nil, nil, &argv, nil) == 0)
    var status: Int32 = 0
    _ = unsafe waitpid(process, &status, 0)
    #expect(status == 0)
  }
}

@Suite struct `Transport handle` {
  @Test(arguments: [("18446744072641818720\n", 18_446_744_072_641_818_720), ("7", 7)] as [(String, UInt64)])
  func `The handle is a decimal number`(_ text: String, _ number: UInt64) throws {
    let scratch = try Scratch()
    try scratch.addTransport(handle: text)
    #expect(try TransportHandle.read(sysfs: scratch.root).rawValue == number)
  }

  @Test(arguments: ["", "\n", "-1\n", "0x10\n", "18446744073709551616\n", "abc\n"])
  func `Anything else is malformed`(_ text: String) throws {
    let scratch = try Scratch()
    try scratch.addTransport(handle: text)
    let path = TransportModule.directory(in: scratch.root).appending("handle").string
    #expect(throws: KernelError.malformed(path: path)) { try TransportHandle.read(sysfs: scratch.root) }
  }

  @Test func `A missing handle is a system error`() throws {
    let scratch = try Scratch()
    try scratch.addTransport(handle: nil)
    #expect(throws: KernelError.system(.readHandle, .noSuchFileOrDirectory)) {
      try TransportHandle.read(sysfs: scratch.root)
    }
  }
}

@Suite struct `Transport module` {
  @Test func `A transport that is there needs no modprobe`() throws {
    let scratch = try Scratch()
    try scratch.addTransport(handle: nil)
    #expect(try !TransportModule.load(sysfs: scratch.root, modprobe: [], until: soon))
  }

  @Test func `Without a modprobe nothing can be loaded`() throws {
    let scratch = try Scratch()
    #expect(throws: KernelError.moduleMissing(.noModprobe)) {
      _ = try TransportModule.load(sysfs: scratch.root, modprobe: ["/nonexistent/modprobe"], until: soon)
    }
  }

  @Test func `The first modprobe that is there loads iscsi_tcp`() throws {
    let scratch = try Scratch()
    let script = try scratch.addScript(
      "[ \"$*\" = iscsi_tcp ] && mkdir -p \(TransportModule.directory(in: scratch.root))")
    #expect(try TransportModule.load(sysfs: scratch.root, modprobe: ["/nonexistent/modprobe", script], until: soon))
  }

  @Test func `A modprobe that fails is quoted by its last line`() throws {
    let scratch = try Scratch()
    let script = try scratch.addScript("echo one; echo 'modprobe: FATAL: no such module' >&2; exit 3")
    #expect(throws: KernelError.moduleMissing(.failed(status: 3, message: "modprobe: FATAL: no such module"))) {
      _ = try TransportModule.load(sysfs: scratch.root, modprobe: [script], until: soon)
    }
  }

  @Test func `A modprobe that a signal ends has failed`() throws {
    let scratch = try Scratch()
    let script = try scratch.addScript("kill -TERM $$")
    #expect(throws: KernelError.moduleMissing(.failed(status: 143, message: ""))) {
      _ = try TransportModule.load(sysfs: scratch.root, modprobe: [script], until: soon)
    }
  }

  @Test func `A modprobe that succeeds without effect is told`() throws {
    let scratch = try Scratch()
    let script = try scratch.addScript("exit 0")
    #expect(throws: KernelError.moduleMissing(.noEffect)) {
      _ = try TransportModule.load(sysfs: scratch.root, modprobe: [script], until: soon)
    }
  }

  @Test func `A modprobe that hangs is killed at the deadline`() throws {
    let scratch = try Scratch()
    let script = try scratch.addScript("exec sleep 1000")
    let start = ContinuousClock.now
    #expect(throws: KernelError.moduleMissing(.timedOut)) {
      _ = try TransportModule.load(sysfs: scratch.root, modprobe: [script], until: .now + .milliseconds(50))
    }
    #expect(ContinuousClock.now - start < .seconds(10))
  }
}
