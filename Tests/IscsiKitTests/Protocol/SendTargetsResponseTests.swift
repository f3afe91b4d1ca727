// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import Testing

@Suite("SendTargets response")
struct SendTargetsResponseTests {
  private func parse(_ entries: [String], from portal: String = "[fe80::9%eth0]:3261,5") throws -> SendTargetsResponse {
    SendTargetsResponse(
      text: Array(entries.map { $0 + "\0" }.joined().utf8), discoveryPortal: try Portal(portal))
  }

  @Test("Targets and portals keep their order")
  func order() throws {
    let answer = try parse([
      "TargetName=iqn.2001-04.com.example:b", "TargetAddress=192.0.2.1:3260,1", "TargetAddress=[2001:db8::1]:860,2",
      "TargetName=iqn.2001-04.com.example:a", "TargetAddress=san.example.com,3", "TargetAddress=192.0.2.1",
    ])
    #expect(answer.targets.map(\.name.description) == ["iqn.2001-04.com.example:b", "iqn.2001-04.com.example:a"])
    #expect(
      answer.targets.map { $0.portals.map(\.description) } == [
        ["192.0.2.1:3260,1", "[2001:db8::1]:860,2"], ["san.example.com:3260,3", "192.0.2.1:3260"],
      ])
    #expect(answer.refused.isEmpty)
    #expect(answer.targets.allSatisfy { $0.warnings.isEmpty })
  }

  @Test("A target without address is where the answer came from, with an unknown tag")
  func noAddress() throws {
    let answer = try parse(["TargetName=iqn.2001-04.com.example:a", "TargetName=iqn.2001-04.com.example:b"])
    #expect(answer.targets.map { $0.portals.map(\.description) } == [["[fe80::9%eth0]:3261"], ["[fe80::9%eth0]:3261"]])
  }

  @Test("A target with unusable addresses only is listed without portal and with a warning")
  func noUsableAddress() throws {
    let answer = try parse(["TargetName=iqn.2001-04.com.example:a", "TargetAddress=0.0.0.0:3260,1"])
    #expect(answer.targets.first?.portals == [])
    #expect(answer.targets.first?.warnings == [.noUsableAddress])
    #expect(answer.refused.map(\.reason) == [.unspecifiedAddress])
  }

  @Test("A target or portal that comes twice is listed once")
  func duplicates() throws {
    let answer = try parse([
      "TargetName=iqn.2001-04.com.example:a", "TargetAddress=192.0.2.1:3260,1", "TargetAddress=192.0.2.1,1",
      "TargetName=iqn.2001-04.com.example:b", "TargetName=iqn.2001-04.com.example:a", "TargetAddress=192.0.2.2:3260,1",
    ])
    #expect(answer.targets.map(\.name.description) == ["iqn.2001-04.com.example:a", "iqn.2001-04.com.example:b"])
    #expect(answer.targets.first?.portals.map(\.description) == ["192.0.2.1:3260,1", "192.0.2.2:3260,1"])
    #expect(answer.refused.isEmpty)
  }

  @Test("A link-local address has the scope of the discovery, whatever the target says")
  func scope() throws {
    let answer = try parse([
      "TargetName=iqn.2001-04.com.example:a", "TargetAddress=[fe80::1]:3260,1", "TargetAddress=[fe80::2%lan7]:3260,1",
      "TargetAddress=[2001:db8::1%lan7]:3260,1",
    ])
    #expect(
      answer.targets.first?.portals.map(\.description) == [
        "[fe80::1%eth0]:3260,1", "[fe80::2%eth0]:3260,1", "[2001:db8::1]:3260,1",
      ])
  }

  @Test(
    "A bad entry is refused with its reason, on one printable line, and spoils no other",
    arguments: [
      (
        "TargetName=iqn.2001-04.com.example:a\nb", "TargetName=iqn.2001-04.com.example:a\\nb",
        SendTargetsResponse.RefusalReason.name(.forbiddenCharacter("\n", offset: 25))
      ),
      (
        "TargetName=iqn.2001-04.com.example:../x", "TargetName=iqn.2001-04.com.example:../x",
        .name(.forbiddenCharacter("/", offset: 26))
      ),
      ("TargetName=", "TargetName=", .name(.empty)),
      ("TargetAddress=192.0.2.1:0,1", "TargetAddress=192.0.2.1:0,1", .address(.badPort("0"))),
      ("TargetAddress=a\u{202E}b", "TargetAddress=a\\u{202E}b", .unreadableAddress),
      ("TargetAddress=[::]:3260,1", "TargetAddress=[::]:3260,1", .unspecifiedAddress),
      ("nonsense", "nonsense", .notKeyValue), ("SendTargets=Reject", "SendTargets=Reject", .requestRefused),
      ("\u{1B}[2J", "\\u{1B}[2J", .notKeyValue),
    ])
  func refusals(entry: String, shown: String, reason: SendTargetsResponse.RefusalReason) throws {
    let answer = try parse([
      "TargetName=iqn.2001-04.com.example:a", "TargetAddress=192.0.2.1:3260,1", entry,
      "TargetName=iqn.2001-04.com.example:b", "TargetAddress=192.0.2.2:3260,1",
    ])
    #expect(answer.targets.map { $0.portals.count } == [1, 1])
    #expect(answer.refused.map(\.text) == [shown])
    #expect(answer.refused.map(\.reason) == [reason])
    #expect(!reason.description.isEmpty)
  }

  @Test("The addresses of a refused target go to no other target")
  func refusedTarget() throws {
    let answer = try parse([
      "TargetAddress=192.0.2.9:3260,1", "TargetName=iqn.2001-04.com.example:a", "TargetAddress=192.0.2.1:3260,1",
      "TargetName=.disk", "TargetAddress=192.0.2.2:3260,1",
    ])
    #expect(answer.targets.map { $0.portals.map(\.description) } == [["192.0.2.1:3260,1"]])
    #expect(answer.refused.map(\.reason) == [.addressWithoutTarget, .name(.forbiddenBeginning("."))])
  }

  @Test("Unknown keys are passed over, and a name's deviations are warned about")
  func unknown() throws {
    let answer = try parse([
      "X-vendor=1", "TargetName=iqn.2001-04.com.example:A_b", "TargetAlias=disk", "TargetAddress=192.0.2.1:3260,1",
    ])
    #expect(answer.refused.isEmpty)
    #expect(answer.targets.first?.warnings == [.name(.underscore), .name(.upperCase)])
    #expect(answer.targets.first?.portals.count == 1)
  }

  @Test("What is not UTF-8 is refused, and long text is cut")
  func notUTF8() throws {
    let long = Array(repeating: UInt8(ascii: "a"), count: 300)
    let answer = SendTargetsResponse(
      text: Array("TargetName=".utf8) + [0xFF, 0xFE, 0] + long, discoveryPortal: try Portal("192.0.2.1"))
    #expect(answer.refused.map(\.reason) == [.notUTF8, .notKeyValue])
    #expect(answer.refused.last?.text == String(repeating: "a", count: 256) + "...")
  }

  @Test("Of very many refusals the first are listed and all are counted")
  func manyRefusals() throws {
    let answer = try parse(Array(repeating: "x", count: 1000))
    #expect(answer.refused.count == SendTargetsResponse.maxRefusals)
    #expect(answer.refusedCount == 1000)
  }

  @Test("The time is linear: 5,000 targets with three portals each, and one target with 15,000 portals")
  func large() throws {
    let many = (0..<5000).flatMap { number in
      ["TargetName=iqn.2001-04.com.example:disk\(number)"]
        + (1...3).map { "TargetAddress=10.\($0).\(number / 256).\(number % 256):3260,\($0)" }
    }
    let one =
      ["TargetName=iqn.2001-04.com.example:one"]
      + (0..<15_000).map { "TargetAddress=10.9.\($0 / 256).\($0 % 256):3260,1" }
    let clock = ContinuousClock()
    var answers: [SendTargetsResponse] = []
    let time = try clock.measure { answers = [try parse(many), try parse(one)] }
    #expect(answers[0].targets.count == 5000)
    #expect(answers[0].targets.allSatisfy { $0.portals.count == 3 })
    #expect(answers[1].targets.first?.portals.count == 15_000)
    // A quadratic parser takes minutes in a debug build; a busy machine must not fail this.
    #expect(time < .seconds(30))
  }

  @Test("Random text never traps")
  func fuzz() throws {
    var generator = SplitMix(state: 3)
    let portal = try Portal("192.0.2.1")
    let pieces = [
      "TargetName=", "TargetAddress=", "iqn.2001-04.com.example:a", "[", "]", ":", ",", "%", "\0", "=", "1", "é", "..",
      "::",
    ]
    for _ in 0..<3000 {
      var text: [UInt8] = []
      for _ in 0..<Int.random(in: 0...30, using: &generator) {
        text += Array(pieces[Int.random(in: 0..<pieces.count, using: &generator)].utf8)
        if Int.random(in: 0...5, using: &generator) == 0 { text.append(UInt8.random(in: 0...255, using: &generator)) }
      }
      let answer = SendTargetsResponse(text: text, discoveryPortal: portal)
      #expect(answer.refusedCount == answer.refused.count)
    }
  }
}
