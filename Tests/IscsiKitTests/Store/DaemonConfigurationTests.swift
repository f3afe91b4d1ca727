// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("The configuration of open-iscsi's daemon")
struct DaemonConfigurationTests {
  @Test(
    "Logouts are safe only if the file says so",
    arguments: [
      ("iscsid.safe_logout = Yes\n", true), ("iscsid.safe_logout=yes\n", true), ("iscsid.safe_logout = No\n", false),
      ("#iscsid.safe_logout = Yes\n", false), ("node.startup = manual\n", false), ("", false),
    ])
  func safeLogout(text: String, isSafe: Bool) throws {
    let file = try TemporaryFile(text)
    #expect(DaemonConfiguration(path: file.path).hasSafeLogout == isSafe)
  }

  @Test("A file that is missing says nothing")
  func missing() {
    #expect(!DaemonConfiguration(path: "/nonexistent/iscsid.conf").hasSafeLogout)
  }
}
