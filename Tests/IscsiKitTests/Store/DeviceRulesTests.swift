// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("udev rules of disks")
struct DeviceRulesTests {
  private static let diskless = DeviceSettings(timeout: 90, scheduler: IOScheduler.none)

  private func target(_ name: String = "disk") throws -> TargetName {
    try TargetName("iqn.2026-11.org.example:\(name)")
  }

  /// A path in a directory of its own, which goes with the object.
  private final class Place {
    let database: TemporaryDatabase
    let path: FilePath

    init() throws {
      database = try TemporaryDatabase()
      path = database.root.appending("rules.d/61-iscsi-admin.rules")
    }

    func text() throws -> String { try database.read("rules.d/61-iscsi-admin.rules") }
    func write(_ text: String) throws { try database.write(text, to: "rules.d/61-iscsi-admin.rules") }
  }

  @Test("A rule names the disks of its target, at the event that adds them, and is read again")
  func text() throws {
    let place = try Place()
    let target = try target()
    #expect(
      try DeviceRules.update(path: place.path) { rules throws(DeviceRulesError) in
        try rules.set(Self.diskless, of: target)
      })
    #expect(
      try place.text() == """
        # Written by iscsi-admin tune --persist, which replaces this file as a whole.
        ACTION!="add", GOTO="iscsi_admin_end"
        SUBSYSTEM!="block", GOTO="iscsi_admin_end"
        ENV{DEVTYPE}!="disk", GOTO="iscsi_admin_end"
        ENV{ID_PATH}=="", IMPORT{builtin}="path_id"
        # iqn.2026-11.org.example:disk device-timeout=90 io-scheduler=none
        ENV{ID_PATH}=="*-iscsi-iqn.2026-11.org.example:disk-lun-*", \
        ENV{ID_PATH}!="*-iscsi-iqn.2026-11.org.example:disk-lun-*-lun-*", \
        ATTR{device/timeout}="90", ATTR{queue/scheduler}="none"
        LABEL="iscsi_admin_end"

        """)
    let read = try DeviceRules(path: place.path).all
    #expect(read.map(\.target) == [target] && read.map(\.settings) == [Self.diskless])
  }

  @Test("Targets have rules of their own, and the file goes with the last")
  func several() throws {
    let place = try Place()
    let (one, two) = (try target("a"), try target("b"))
    let change = { (settings: DeviceSettings, target: TargetName) in
      try DeviceRules.update(path: place.path) { rules throws(DeviceRulesError) in
        try rules.set(settings, of: target)
      }
    }
    #expect(try change(DeviceSettings(errorHandlingTimeout: 3), two))
    #expect(try change(Self.diskless, one))
    #expect(try !change(Self.diskless, one), "nothing changes")
    #expect(try DeviceRules(path: place.path).all.map(\.target) == [one, two])
    #expect(try change(DeviceSettings(), one))
    #expect(try DeviceRules(path: place.path).all.map(\.settings) == [DeviceSettings(errorHandlingTimeout: 3)])
    #expect(try change(DeviceSettings(), two))
    #expect(try place.database.entries() == ["rules.d/"])
    #expect(try DeviceRules(path: place.path) == DeviceRules())
  }

  @Test(
    "A file of others is left alone",
    arguments: [
      "", "# mine\n", "ACTION==\"add\", RUN+=\"/bin/true\"\n",
    ])
  func foreign(text: String) throws {
    let place = try Place()
    try place.write(text)
    let target = try target()
    #expect(throws: DeviceRulesError.foreign(path: place.path.string)) {
      try DeviceRules.update(path: place.path) { rules throws(DeviceRulesError) in
        try rules.set(Self.diskless, of: target)
      }
    }
    #expect(try place.text() == text)
  }

  @Test("What somebody has added to our file is not lost")
  func edited() throws {
    let place = try Place()
    let target = try target()
    let change = {
      try DeviceRules.update(path: place.path) { rules throws(DeviceRulesError) in
        try rules.set(DeviceSettings(timeout: 9), of: target)
      }
    }
    try DeviceRules.update(path: place.path) { rules throws(DeviceRulesError) in
      try rules.set(Self.diskless, of: target)
    }
    let ours = try place.text()
    for edited in [
      ours + "# mine\n", ours.replacing("90\"", with: "91\""), ours.replacing("ACTION!=\"add\"", with: "ACTION!=\"x\""),
      ours.replacing("# iqn", with: "# no name"), ours.replacing("timeout=90", with: "timeout=x"),
      String(ours.dropLast()),
    ] {
      try place.write(edited)
      let error = #expect(throws: DeviceRulesError.self) { try change() }
      guard case .damaged? = error else {
        Issue.record("\(String(describing: error)) of \(edited)")
        continue
      }
      #expect(try place.text() == edited)
    }
  }

  @Test("An underscore is nothing special to udev")
  func underscore() throws {
    var rules = DeviceRules()
    try rules.set(Self.diskless, of: try TargetName("iqn.2026-11.org.example:a_b"))
    #expect(rules != DeviceRules())
  }

  @Test("A name that udev might not take as it is has no rule", arguments: ["iqn.2026-11.org.example:b\u{FC}cher"])
  func names(name: String) throws {
    let target = try TargetName(name)
    var rules = DeviceRules()
    #expect(throws: DeviceRulesError.unusableName(target)) { try rules.set(Self.diskless, of: target) }
    #expect(rules == DeviceRules())
    #expect(throws: Never.self) { try rules.set(DeviceSettings(), of: target) }
  }

  @Test("A file that cannot be written says so")
  func unwritable() throws {
    let place = try Place()
    try place.database.write("a file", to: "rules.d")
    let target = try target()
    let error = #expect(throws: DeviceRulesError.self) {
      try DeviceRules.update(path: place.path) { rules throws(DeviceRulesError) in
        try rules.set(Self.diskless, of: target)
      }
    }
    #expect(error.map { "\($0)".contains(place.path.string) } == true)
  }
}
