// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Targets that a logout of all leaves alone")
struct ExclusionsTests {
  @Test("Names are exact, a star stands for any end, and the rest is comment")
  func patterns() throws {
    let file = try TemporaryFile(
      """
      # iqn.2001-04.com.example:commented
      iqn.2001-04.com.example:root   # the root file system

      \t iqn.2001-04.com.example:swap.* \r
      eui.0123456789ABCDEF
      """)
    let exclusions = try Exclusions(path: file.path)
    for target in [
      "iqn.2001-04.com.example:root", "iqn.2001-04.com.example:swap.", "iqn.2001-04.com.example:swap.b",
      "eui.0123456789ABCDEF",
    ] {
      #expect(exclusions.contains(target))
    }
    for target in [
      "iqn.2001-04.com.example:roo", "iqn.2001-04.com.example:root2", "iqn.2001-04.com.example:ROOT",
      "iqn.2001-04.com.example:swap", "iqn.2001-04.com.example:commented", "eui.0123456789abcdef", "",
    ] {
      #expect(!exclusions.contains(target))
    }
  }

  @Test("A star alone is every target, and no file is none")
  func extremes() throws {
    #expect(try Exclusions("*", path: "x").contains("iqn.2001-04.com.example:a"))
    #expect(try Exclusions(path: "/nonexistent/exclusions.conf") == Exclusions())
    #expect(!Exclusions().contains("iqn.2001-04.com.example:a"))
    #expect(try Exclusions("", path: "x") == Exclusions())
  }

  @Test(
    "A line that is neither refuses the file, so that no target is taken for unlisted",
    arguments: ["target", "iqn.2001-04.com.example:a iqn.2001-04.com.example:b", "iqn.2001-04.com.example:*a", "**"])
  func badLines(line: String) {
    #expect(throws: ExclusionsError.badLine(path: "x", line: 2, text: line)) {
      try Exclusions("iqn.2001-04.com.example:good\n\(line)\n", path: "x")
    }
  }

  @Test(
    "Whatever keeps the file from being read, it is said what to do",
    arguments: [Errno.isDirectory, .permissionDenied, .ioError])
  func advice(errno: Errno) {
    #expect(ExclusionsError.unreadable(path: "/etc/x", errno).advice?.contains("/etc/x") == true)
  }

  @Test("A file that is too large or cannot be read is no empty list")
  func unreadable() throws {
    let file = try TemporaryFile(String(repeating: "#", count: Exclusions.sizeLimit + 1))
    #expect(throws: ExclusionsError.tooLarge(path: file.path.string, limit: Exclusions.sizeLimit)) {
      try Exclusions(path: file.path)
    }
    let error = #expect(throws: ExclusionsError.self) { try Exclusions(path: "/tmp") }
    #expect(error == .unreadable(path: "/tmp", .isDirectory))
    #expect(error?.description.hasPrefix("the list of excluded targets /tmp cannot be read: ") == true)
  }
}
