// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import Testing

@testable import IscsiKit

@Suite("Single numbers of sysfs")
struct SysfsNumberTests {
  private let id = SessionID(rawValue: 1)

  @Test("The replacement timeout is read alone, as a number or as the word for none", arguments: [(5, 5), (-1, -1)])
  func replacementTimeout(set: Int32, expected: Int32) throws {
    let tree = try SysfsTree()
    var session = SessionSnapshot.example(1)
    session.replacementTimeout = set
    try tree.add(session)
    let sysfs = Sysfs(root: tree.root)
    #expect(try sysfs.replacementTimeout(of: id) == expected)
    #expect(try sysfs.session(id)?.replacementTimeout == expected)
    #expect(try sysfs.replacementTimeout(of: SessionID(rawValue: 2)) == nil)
  }

  @Test("ExpStatSN is read alone, and is none without a connection")
  func expStatSN() throws {
    let tree = try SysfsTree()
    var session = SessionSnapshot.example(1)
    session.connection?.expStatSN = 77
    try tree.add(session)
    #expect(Sysfs(root: tree.root).expStatSN(of: id) == 77)
    var other = SessionSnapshot.example(2)
    other.connection = nil
    try tree.add(other)
    #expect(Sysfs(root: tree.root).expStatSN(of: SessionID(rawValue: 2)) == nil)
    #expect(Sysfs(root: tree.root).expStatSN(of: SessionID(rawValue: 3)) == nil)
  }

  @Test(
    "The name of a device's folder is four numbers",
    arguments: [
      ("2:0:0:1", "2:0:0:1"), ("4294967295:0:10:18446744073709551615", "4294967295:0:10:18446744073709551615"),
      ("4294967296:0:0:1", nil), ("2:0:0:18446744073709551616", nil), ("2:0:0:99999999999999999999", nil),
      ("2:0:0", nil), ("2:0:0:", nil), (":0:0:1", nil), ("2::0:1", nil), ("2:0:0:1:", nil), ("2:0:0:1:3", nil),
      ("", nil),
      ("2:0:0:+1", nil), ("2:0:0:a", nil), ("power", nil), ("2:0:0:١", nil),
    ] as [(String, String?)])
  func deviceAddress(name: String, address: String?) {
    #expect(DeviceSnapshot(address: name)?.address == address)
  }
}
