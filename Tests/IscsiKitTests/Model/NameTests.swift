// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import Testing

@Suite("Names and portals")
struct NameTests {
  @Test(
    "A name that RFC 7143 allows is taken as it is",
    arguments: [
      "iqn.2001-04.com.example:storage.disk2.sys1.xyz", "iqn.2003-01.org.linux-iscsi.host.x8664:sn.e2b3",
      "eui.02004567A425678D", "naa.52004567BA64678D", "naa.62004567BA64678D0123456789ABCDEF",
      "iqn.2001-04.com.example", "iqn.2001-04.com.example:a_b", "iqn.2001-04.com.example:größe",
    ])
  func accepts(text: String) throws {
    #expect(try TargetName(text).description == text)
  }

  @Test(
    "A name that could harm or mislead is refused with its reason",
    arguments: [
      ("", ISCSINameError.empty),
      ("iqn.2001-04.com.example:../../etc", .forbiddenCharacter("/", offset: 26)),
      ("iqn.2001-04.com.example:a\nnode.startup = automatic", .forbiddenCharacter("\n", offset: 25)),
      ("iqn.2001-04.com.example:\0", .forbiddenCharacter("\0", offset: 24)),
      ("iqn.2001-04.com.example:a b", .forbiddenCharacter(" ", offset: 25)),
      (".", .forbiddenBeginning(".")), ("..", .forbiddenBeginning(".")), (".hidden", .forbiddenBeginning(".")),
      ("-x", .forbiddenBeginning("-")), ("--help", .forbiddenBeginning("-")),
      ("a/b", .forbiddenCharacter("/", offset: 1)), ("a,1", .forbiddenCharacter(",", offset: 1)),
      ("a;reboot", .forbiddenCharacter(";", offset: 1)), ("a\u{202E}b", .forbiddenCharacter("\u{202E}", offset: 1)),
      ("a\u{85}", .forbiddenCharacter("\u{85}", offset: 1)), ("a\u{A0}b", .forbiddenCharacter("\u{A0}", offset: 1)),
      (String(repeating: "a", count: 224), .tooLong(octets: 224)),
      ("iqn.2001-04.com.example:" + String(repeating: "a", count: 200), .tooLong(octets: 224)),
    ])
  func refuses(text: String, reason: ISCSINameError) {
    #expect(throws: reason) { try TargetName(text) }
  }

  @Test(
    "A target may have a name in none of the standard's formats, and an initiator may not",
    arguments: [
      ("mytarget", ISCSINameError.unknownFormat), ("x", .unknownFormat), ("5", .unknownFormat),
      ("größe", .unknownFormat), ("a-b.c:d_e", .unknownFormat), ("iqn", .unknownFormat),
      ("iqn.2001.com.example", .malformedIQN), ("iqn.2001-04.:x", .malformedIQN),
      ("eui.02004567A425678", .malformedEUI), ("naa.52004567BA64678D0", .malformedNAA),
    ])
  func formatless(text: String, reason: ISCSINameError) throws {
    let name = try TargetName(text)
    #expect(name.description == text && name.iscsiName == nil && name.warnings.contains(.noFormat))
    #expect(throws: reason) { try InitiatorName(text) }
    #expect(throws: reason) { try ISCSIName(text) }
  }

  @Test("A name of 223 octets is the longest")
  func longest() throws {
    let text = "iqn.2001-04.com.example:" + String(repeating: "a", count: 199)
    #expect(try InitiatorName(text).description.utf8.count == 223)
  }

  @Test("An underscore and upper case are accepted with a warning each")
  func warnings() throws {
    #expect(try TargetName("iqn.2001-04.com.example:A_b").warnings == [.underscore, .upperCase])
    let name = try TargetName("iqn.2001-04.com.example:a")
    #expect(name.warnings.isEmpty && name.iscsiName?.description == name.description)
  }

  @Test(
    "Every form of a portal is read and written back in one canonical form",
    arguments: [
      ("10.0.0.1", "10.0.0.1:3260"), ("10.0.0.1:860", "10.0.0.1:860"), ("10.0.0.1:3260,7", "10.0.0.1:3260,7"),
      ("[2001:db8:0:0:0:0:0:1]:3261,2", "[2001:db8::1]:3261,2"), ("fe80::1%eth0", "[fe80::1%eth0]:3260"),
      ("[fe80::1%eth0]", "[fe80::1%eth0]:3260"), ("::ffff:10.0.0.1", "[::ffff:a00:1]:3260"),
      ("san-1.example.com:3261", "san-1.example.com:3261"), ("::", "[::]:3260"), ("1::", "[1::]:3260"),
    ])
  func portals(text: String, canonical: String) throws {
    let portal = try Portal(text)
    #expect(portal.description == canonical)
    #expect(try Portal(canonical) == portal)
  }

  @Test(
    "A portal that makes no sense is refused",
    arguments: [
      "", ":3260", "10.0.0.1:0", "10.0.0.1:70000", "10.0.0.1:abc", "10.0.0.256", "10.0.0", "[::1", "[::1]x", "[::1]:",
      "10.0.0.1,70000", "10.0.0.1,", "a b", "-x", "1:2:3", "1::2::3", "fe80::1%a/b", "10.0.0.1%eth0", "x..y", "::1::",
      "1:2:3:4:5:6:7:8:9", "12345::", "[10.0.0.1]:3260",
    ])
  func badPortals(text: String) {
    #expect(throws: PortalError.self) { try Portal(text) }
  }

  @Test("A secret shows in no description, dump or interpolation")
  func secrets() throws {
    let secret = try #require(Secret("verySecret1234"))
    let credentials = CHAPCredentials(name: "user", secret: secret)
    var text = "\(secret) \(credentials) \(String(reflecting: credentials))"
    dump(credentials, to: &text)
    #expect(!text.contains("verySecret1234"))
  }

  @Test(
    "LUN numbers are those that Linux shows", arguments: [(0, 0), (5, 5), (255, 255), (256, 0x4100), (16383, 0x7FFF)])
  func luns(number: UInt64, shown: UInt64) throws {
    #expect(try #require(LUN(number: number)).linuxNumber == shown)
  }

  @Test(
    "The ISID of a session is open-iscsi's: its number's low 24 bits, the highest first",
    arguments: [(1, "00023d000001"), (0x01_0203, "00023d010203"), (0xFF04_0506, "00023d040506")] as [(UInt32, String)])
  func isid(session: UInt32, text: String) {
    #expect(ISID(session: SessionID(rawValue: session)).description == text)
  }
}
