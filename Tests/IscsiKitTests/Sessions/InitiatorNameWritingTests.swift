// SPDX-License-Identifier: Apache-2.0
import Glibc
import IscsiKit
import IscsiKitTesting
import SystemPackage
import Testing

@Suite("Making and storing the initiator's name")
struct InitiatorNameWritingTests {
  @Test("A random name is the beginning, a colon and twelve digits, and no two are alike")
  func random() throws {
    let prefix = try InitiatorNamePrefix("iqn.2026-11.org.example")
    let names = try (0..<100).map { _ in try prefix.randomName().description }
    #expect(Set(names).count == names.count)
    for name in names {
      #expect(
        name.hasPrefix("iqn.2026-11.org.example:") && name.utf8.count == "iqn.2026-11.org.example:".utf8.count + 12)
      #expect(name.suffix(12).allSatisfy { $0.isHexDigit && !$0.isUppercase })
    }
  }

  @Test("A beginning leaves room for the rest, and is that of a name")
  func prefixes() throws {
    let longest = "iqn.2026-11." + String(repeating: "a", count: 198)
    #expect(try InitiatorNamePrefix(longest).randomName().description.utf8.count == 223)
    #expect(throws: InitiatorNamePrefix.Refusal.tooLong) { try InitiatorNamePrefix(longest + "a") }
    #expect(throws: InitiatorNamePrefix.Refusal.noName(.unknownFormat)) { try InitiatorNamePrefix("host") }
    #expect(throws: InitiatorNamePrefix.Refusal.noName(.malformedIQN)) { try InitiatorNamePrefix("iqn.2026-11.") }
  }

  @Test("A name is stored for root alone, and one that is there stays unless it is to go")
  func write() throws {
    let old = try TemporaryFile("# nothing yet\n", permissions: [.ownerReadWrite, .groupRead, .otherRead])
    let file = InitiatorNameFile(path: old.path)
    let (first, second) = (
      try InitiatorName("iqn.2026-11.org.example:a"), try InitiatorName("iqn.2026-11.org.example:b")
    )
    try file.write(first)
    #expect(try file.read() == first)
    var status = stat()
    // The path and the structure are lent to the call.
    #expect(unsafe lstat(old.path.string, &status) == 0 && status.st_mode & 0o7777 == 0o600)
    let error = #expect(throws: InitiatorNameWriteError.self) { try file.write(second) }
    #expect(error == .exists(path: old.path.string, name: first.description))
    #expect(error?.exitStatus == .sessionExists)
    #expect(try file.read() == first)
    try file.write(second, isReplacing: true)
    #expect(try file.read() == second)
  }

  @Test("Of many that store a name at once one does, and all others are told which it is")
  func race() async throws {
    let directory = try TemporaryFile("").path.string + ".d"
    defer { _ = try? TestProcess.run(["rm", "-rf", directory]) }
    let file = InitiatorNameFile(path: FilePath(directory).appending("initiatorname.iscsi"))
    let names = try (0..<16).map { try InitiatorName("iqn.2026-11.org.example:\($0)") }
    let results = await withTaskGroup(of: Result<InitiatorName, InitiatorNameWriteError>.self) { group in
      for name in names {
        group.addTask {
          Result { () throws(InitiatorNameWriteError) in
            try file.write(name)
            return name
          }
        }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    let stored = try file.read()
    #expect(results.compactMap { try? $0.get() } == [stored])
    for case .failure(let error) in results {
      #expect(error == .exists(path: file.path.string, name: stored.description))
    }
    #expect(results.count == names.count)
  }

  @Test("A file without a name, or with an empty one, is replaced", arguments: ["# nothing\n", "InitiatorName=\n"])
  func replaced(text: String) throws {
    let old = try TemporaryFile(text)
    let name = try InitiatorName("iqn.2026-11.org.example:a")
    try InitiatorNameFile(path: old.path).write(name)
    #expect(try InitiatorNameFile(path: old.path).read() == name)
  }

  @Test("What else a file says stays, but other names and the wish for one")
  func keepsTheRest() throws {
    let old = try TemporaryFile(
      "# mine\nInitiatorName = host\nInitiatorAlias=x\nInitiatorName=y\nGenerateName=yes\n\n# end")
    try InitiatorNameFile(path: old.path).write(try InitiatorName("iqn.2026-11.org.example:a"), isReplacing: true)
    #expect(
      try String(contentsOf: old.path)
        == "# mine\nInitiatorName=iqn.2026-11.org.example:a\nInitiatorAlias=x\n\n# end\n")
    let nameless = try TemporaryFile("# nothing yet\nInitiatorAlias=x\n")
    try InitiatorNameFile(path: nameless.path).write(try InitiatorName("iqn.2026-11.org.example:b"))
    #expect(
      try String(contentsOf: nameless.path)
        == "# nothing yet\nInitiatorAlias=x\nInitiatorName=iqn.2026-11.org.example:b\n")
  }

  @Test("A symbolic link stays, and what it leads to has the name")
  func link() throws {
    let real = try TemporaryFile("InitiatorName=host\n")
    let link = FilePath("\(real.path).link")
    defer { _ = try? TestProcess.run(["rm", "-f", link.string]) }
    _ = try TestProcess.run(["ln", "-s", try #require(real.path.lastComponent).string, link.string])
    let name = try InitiatorName("iqn.2026-11.org.example:a")
    try InitiatorNameFile(path: link).write(name, isReplacing: true)
    #expect(try InitiatorNameFile(path: real.path).read() == name)
    var status = stat()
    // The path and the structure are lent to the call.
    #expect(unsafe lstat(link.string, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK)
  }

  @Test("A name that is refused is there all the same, and a place that cannot be written is told")
  func unusual() throws {
    let bad = try TemporaryFile("InitiatorName=host\n")
    let name = try InitiatorName("iqn.2026-11.org.example:a")
    #expect(throws: InitiatorNameWriteError.self) { try InitiatorNameFile(path: bad.path).write(name) }
    #expect(throws: InitiatorNameWriteError.unwritable(path: "/dev/null/name", .notDirectory)) {
      try InitiatorNameFile(path: "/dev/null/name").write(name)
    }
  }
}

extension String {
  /// The text of a file.
  fileprivate init(contentsOf path: FilePath) throws {
    let file = try FileDescriptor.open(path, .readOnly)
    self = try file.closeAfter {
      var octets = [UInt8](repeating: 0, count: 4096)
      let count = try unsafe octets.withUnsafeMutableBytes { try unsafe file.read(into: $0) }
      return String(decoding: octets[..<count], as: UTF8.self)
    }
  }
}
