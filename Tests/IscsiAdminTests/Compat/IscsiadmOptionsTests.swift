// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import Testing

@testable import iscsi_admin

@Suite("The command line of iscsiadm")
struct IscsiadmOptionsTests {
  private func options(_ words: String) throws -> IscsiadmOptions {
    try IscsiadmOptions(words.split(separator: " ").map(String.init), program: "/sbin/iscsiadm")
  }

  @Test("All spellings of a command say the same")
  func spellings() throws {
    let expected = try options("-m node -T iqn.a -p 10.0.0.1:3260,1 -o update -n node.startup -v manual")
    #expect(expected.mode == .node && expected.target == "iqn.a" && expected.operations == .update)
    #expect(expected.parameters == [IscsiadmOptions.Parameter(name: "node.startup", value: "manual")])
    let spellings = [
      "--mode node --targetname iqn.a --portal 10.0.0.1:3260,1 --op update --name node.startup --value manual",
      "--mode=node --target=iqn.a --portal=10.0.0.1:3260,1 --op=update --name=node.startup --value=manual",
      "-vmanual word -nnode.startup -oupdate -p10.0.0.1:3260,1 -Tiqn.a -mnode",
    ]
    for spelling in spellings { #expect(try options(spelling) == expected, "\(spelling)") }
  }

  @Test(
    "A name and a value make a pair as soon as both are there, and a later one of a kind takes the place of the first")
  func pairs() throws {
    #expect(try options("-m node -n a -v 1 -v 2 -n b -n c").parameters.map(\.name) == ["a", "b"])
    #expect(try options("-m node -n a -v 1 -v 2 -n b -n c").parameters.map(\.value) == ["1", "2"])
    #expect(try options("-m node -n a -n b -v 1").parameters == [.init(name: "b", value: "1")])
    #expect(try options("-m node -v 1 -v 2 -n a").parameters == [.init(name: "a", value: "2")])
    #expect(try options("-m node -v 1").parameters.isEmpty)
  }

  @Test("Several operations and interfaces add up")
  func repeated() throws {
    #expect(try options("-m discovery -o new -o delete").operations == [.new, .delete])
    #expect(try options("-m discovery -I a -I b").interfaces == ["a", "b"])
  }

  @Test(
    "A session is a number above 0, and all else is a path",
    arguments: [
      ("1", IscsiadmOptions.SessionArgument.id(SessionID(rawValue: 1))), ("+1", .id(SessionID(rawValue: 1))),
      ("01", .id(SessionID(rawValue: 1))), ("0", .path("0")), ("1x", .path("1x")), ("-1", .path("-1")),
      ("4294967297", .path("4294967297")),
      ("/sys/class/iscsi_session/session1", .path("/sys/class/iscsi_session/session1")),
    ])
  func sessions(text: String, argument: IscsiadmOptions.SessionArgument) throws {
    #expect(try options("-m session -r \(text)").session == argument)
  }

  @Test(
    "Portals are taken apart and not checked",
    arguments: [
      ("10.0.0.1", "10.0.0.1", nil, nil), ("10.0.0.1:3261", "10.0.0.1", 3261, nil),
      ("10.0.0.1:3261,2", "10.0.0.1", 3261, 2), ("10.0.0.1,2", "10.0.0.1", nil, 2),
      ("[fd00::1]:3261,2", "fd00::1", 3261, 2), ("[fd00::1]", "fd00::1", nil, nil), ("fd00::1", "fd00::1", nil, nil),
      ("fe80::1%eth0", "fe80::1%eth0", nil, nil), ("san:abc", "san", 0, nil), ("san:70000", "san", 70_000, nil),
      ("", "", nil, nil), (",-1", "", nil, -1), ("[fd00::1", "[fd00::1", nil, nil),
    ] as [(String, String, Int?, Int?)])
  func portals(text: String, host: String, port: Int?, tag: Int?) {
    let portal = IscsiadmPortal(text)
    #expect(portal.host == host && portal.port == port && portal.tag == tag)
  }

  @Test(
    "Numbers are read as atoi reads them",
    arguments: [
      ("12", 12), (" -3x", -3), ("abc", 0), ("", 0), ("+7", 7), ("99999999999999999999", 2_147_483_647), ("-", 0),
    ])
  func numbers(text: String, number: Int) {
    #expect(leadingInteger(text) == number)
  }

  @Test(
    "What is wrong is told in open-iscsi's words, with 7",
    arguments: [
      ("-m foo", "iscsiadm: mode -1 is not yet supported"), ("-m foo -V", "iscsiadm: mode -1 is not yet supported"),
      ("-m session -l", "iscsiadm: session mode: option '-l' is not allowed/supported"),
      ("-l -m session", "iscsiadm: session mode: option '-l' is not allowed/supported"),
      ("-m session -o bogus -W", "iscsiadm: session mode: option '-W' is not allowed/supported"),
      ("-o bogus -l -m session", "iscsiadm: can not recognize operation: 'bogus'"),
      ("-m discoverydb -W", "iscsiadm: discovery mode: option '-W' is not allowed/supported"),
      ("-m fw -P 1", "iscsiadm: fw mode: option '-P' is not allowed/supported"),
      ("-m host -S", "iscsiadm: host mode: option '-S' is not allowed/supported"),
      ("-m iface -x 1", "iscsiadm: iface mode: option '-x' is not allowed/supported"),
      ("-m node -H 1", "iscsiadm: node mode: option '-H' is not allowed/supported"),
      ("-m session -h", "iscsiadm: session mode: option '-h' is not allowed/supported"),
      ("-m session -k 0", "iscsiadm: session mode: option '-k' is not allowed/supported"),
      (
        "-m session -z",
        "/sbin/iscsiadm: invalid option -- 'z'|iscsiadm: session mode: option '-?' is not allowed/supported"
      ),
      ("-m host -H 99999999999", "iscsiadm: Invalid host no 99999999999. Numerical result out of range."),
      ("-m host -H -1", "iscsiadm: Invalid host no -1. Numerical result out of range."),
      (
        "-m host -C chap -x 99999999999999999999999",
        "iscsiadm: Invalid index 99999999999999999999999. Numerical result out of range."
      ),
      ("-z", "/sbin/iscsiadm: invalid option -- 'z'|iscsiadm: unrecognized character 'z'"),
      ("--mode", "/sbin/iscsiadm: option '--mode' requires an argument|iscsiadm: unrecognized character 'm'"),
      ("--foo", "/sbin/iscsiadm: unrecognized option '--foo'|Try `iscsiadm --help' for more information."),
      (
        "--p x",
        "/sbin/iscsiadm: option '--p' is ambiguous; possibilities: '--portal' '--print' '--packetsize' '--portal_type'"
          + "|Try `iscsiadm --help' for more information."
      ),
    ])
  func refused(words: String, lines: String) throws {
    let refusal = IscsiadmOptions.Refusal(lines: lines.split(separator: "|").map(String.init))
    #expect(throws: IscsiadmOptions.Stop.refused(refusal)) { try options(words) }
    #expect(refusal.status == .invalidArgument)
  }

  @Test("Help and version end the reading where they stand")
  func ends() {
    #expect(throws: IscsiadmOptions.Stop.version) { try options("-V -m foo") }
    #expect(throws: IscsiadmOptions.Stop.help) { try options("--help -z") }
  }
}
