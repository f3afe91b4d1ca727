// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Timeouts")
struct TimeoutTests {
  @Test(
    "A name that is nearly one of a setting is told with the one that may be meant",
    arguments: [
      ("noop-intervall", "noop-interval"), ("replacement_timeout", "replacement-timeout"),
      ("io-schedular", "io-scheduler"),
      ("node.session.timeo.replacement_timout", "node.session.timeo.replacement_timeout"), ("x", nil), ("", nil),
    ] as [(String, String?)])
  func nearlyKnown(name: String, meant: String?) {
    let expected = "there is no setting \(name.debugDescription)" + (meant.map { " (did you mean '\($0)'?)" } ?? "")
    #expect(SettingRefusal.unknown(name).description == expected)
  }

  @Test("A timeout is found by its own name and by its key in records", arguments: Timeout.allCases)
  func names(timeout: Timeout) {
    #expect(Timeout(name: timeout.rawValue) == timeout)
    if let key = timeout.details.recordKey { #expect(Timeout(name: key) == timeout) }
    #expect(Timeout(name: "node.conn[0].timeo.auth_timeout") == nil && Timeout(name: "") == nil)
  }

  @Test("A timeout of records has a key that records have, with the value that they have without a setting")
  func recordKeys() throws {
    let record = try NodeRecord.example()
    for timeout in Timeout.allCases {
      guard let name = timeout.details.recordKey else { continue }
      let key = try #require(NodeRecord.keys[name])
      #expect(key.text(of: record) == String(timeout.details.standard.number), "\(timeout)")
      // A record takes all that a setting takes.
      for text in TimeoutSettings([timeout: .seconds(timeout.details.range.upperBound)]).recordValues.values {
        #expect(throws: Never.self) { try key.check(text) }
      }
    }
    #expect(TimeoutSettings([.replacement: .off]).recordValues == ["node.session.timeo.replacement_timeout": "-1"])
    #expect(TimeoutSettings([.device: 9]).recordValues == [:])
  }

  @Test("Each timeout of the kernel has its file, and each of records alone has none", arguments: Timeout.allCases)
  func places(timeout: Timeout) {
    let details = timeout.details
    #expect((details.path == nil) == (details.place == .record) && details.isLive == (details.place != .record))
    #expect(details.isLive || details.recordKey != nil)
    #expect(details.standard == .off ? details.offMeaning != nil : true)
  }

  @Test(
    "Values are read and written as the kernel has them",
    arguments: [
      ("0", TimeoutValue.seconds(0)), ("120", .seconds(120)), ("off", .off), ("-1", .off),
      ("4294967295", .seconds(.max)),
    ])
  func values(text: String, value: TimeoutValue) {
    #expect(TimeoutValue(text) == value)
    #expect(value == .off ? value.description == "off" : value.description == text)
    #expect(TimeoutValue(number: value.number) == value)
  }

  @Test("What is no value is none", arguments: ["", "-2", "+5", "5 ", "5s", "0x5", "4294967296", "OFF", "٣"])
  func noValues(text: String) { #expect(TimeoutValue(text) == nil) }

  @Test("Only -1 is a negative number")
  func numbers() {
    #expect(TimeoutValue(number: -2) == nil && TimeoutValue(number: Int64.max) == nil)
  }

  @Test(
    "A setting must be in its range, and be off only where the kernel has that",
    arguments: [
      ("replacement-timeout", "off", nil), ("replacement-timeout", "0", nil), ("noop-interval", "0", nil),
      ("noop-interval", "off", SettingRefusal.noOff(.noopInterval)), ("noop-timeout", "-1", .noOff(.noopTimeout)),
      ("device-timeout", "0", .badValue(.device, "0")), ("abort-timeout", "0", .badValue(.abort, "0")),
      ("host-eh-deadline", "off", nil), ("host-eh-deadline", "0", nil),
      ("node.session.timeo.replacement_timeout", "2147483", nil),
      ("replacement-timeout", "2147484", .badValue(.replacement, "2147484")),
      ("replacement-timeout", "abc", .badValue(.replacement, "abc")), ("replacement", "1", .unknown("replacement")),
      ("io-scheduler", "none", nil), ("io-scheduler", "noop", .badScheduler("noop")),
    ])
  func range(name: String, text: String, refusal: SettingRefusal?) {
    var settings = TimeoutSettings()
    guard let refusal else {
      #expect(throws: Never.self) { try settings.add(name, text) }
      #expect(throws: SettingRefusal.self, "given twice") { try settings.add(name, text) }
      return
    }
    #expect(throws: refusal) { try settings.add(name, text) }
    #expect(settings.isEmpty)
    #expect(refusal.exitStatus == .invalidArgument && !refusal.description.isEmpty)
  }

  @Test("Zero and off are told apart in words")
  func words() {
    #expect(Timeout.replacement.words(0) == "0 s (I/O fails at once)")
    #expect(Timeout.replacement.words(.off) == "off (I/O waits for ever)")
    #expect(Timeout.replacement.words(5) == "5 s")
    #expect(Timeout.noopInterval.words(0) == "0 s (it is never asked)")
  }

  @Test("Profiles set the same timeouts, and udev has to set what the kernel has otherwise")
  func profiles() {
    let names = Set(TuningProfile.allCases.map { $0.settings.all.map(\.timeout) })
    #expect(names.count == 1)
    #expect(TuningProfile.standard.deviceSettings.isEmpty && TuningProfile.multipath.deviceSettings.isEmpty)
    #expect(TuningProfile.diskless.deviceSettings == DeviceSettings(timeout: 90, scheduler: IOScheduler.none))
    #expect(TuningProfile.multipath.settings[.replacement] == 5 && TuningProfile.multipath.settings[.noopInterval] == 5)
    #expect(TuningProfile.diskless.settings[.replacement] == 86_400)
    #expect(TuningProfile.diskless.settings[.noopInterval] == 0 && TuningProfile.diskless.settings[.noopTimeout] == 0)
    for (timeout, value) in TuningProfile.standard.settings.all { #expect(value == timeout.details.standard) }
  }

  // MARK: - The page

  private func page() throws -> [String] {
    let path = FilePath(#filePath).removingLastComponent().appending("../../../docs/timeouts.md")
    let octets = try FileContents(of: path, limit: 1 << 20).octets
    return String(decoding: octets, as: UTF8.self).split(separator: "\n").map(String.init)
  }

  @Test("The documentation has each timeout as it is, in the order of the chain")
  func documentation() throws {
    let rows = Timeout.allCases.map { timeout in
      let details = timeout.details
      let special = [details.zeroMeaning.map { "0: \($0)" }, details.offMeaning.map { "off: \($0)" }]
      let cells = [
        "`\(timeout)`", details.recordKey.map { "`\($0)`" } ?? "", details.path.map { "`\($0)`" } ?? "",
        "\(details.range.lowerBound)", details.standard.description,
        special.compactMap(\.self).joined(separator: "; "), details.isLive ? "yes" : "no", details.effect,
      ]
      return "| " + cells.joined(separator: " | ") + " |"
    }
    // The profiles' rows have fewer cells.
    let found = try page().filter { line in
      line.count { $0 == "|" } == 9 && Timeout.allCases.contains { line.hasPrefix("| `\($0)` |") }
    }
    #expect(found == rows, "\(rows.joined(separator: "\n"))")
    for timeout in Timeout.allCases {
      #expect(try page().contains { $0.contains("`\(timeout)`: \(timeout.details.summary)") }, "\(timeout)")
    }
  }

  @Test("The documentation has each profile as it is")
  func documentedProfiles() throws {
    let names = TuningProfile.standard.settings.all.map(\.timeout)
    let rows = names.map { timeout in
      "| `\(timeout)` | "
        + TuningProfile.allCases.map { $0.settings[timeout]?.description ?? "" }.joined(separator: " | ") + " |"
    }
    let schedulers = TuningProfile.allCases.map { profile in
      profile.settings.scheduler?.rawValue ?? (profile.settings.resetsScheduler ? "the kernel's" : "as it is")
    }
    let all = rows + ["| `\(IOScheduler.settingName)` | \(schedulers.joined(separator: " | ")) |"]
    let page = try page()
    for row in all { #expect(page.contains(row), "\(row)") }
  }
}
