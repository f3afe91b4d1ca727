// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// A setting at a place in JSON.
struct SettingJSON: Encodable {
  let place: String
  let session: UInt32?
  let target: String?
  let portal: PortalJSON?
  let interface: String?
  let device: String?
  let setting: String
  let old: String?
  let new: String
  let outcome: String
  let note: String?
  let message: String?

  init(_ entry: TuningReport.Entry) {
    place = entry.place.rawValue
    device = entry.device
    setting = entry.setting
    old = entry.old
    new = entry.new
    outcome = entry.result.rawValue
    note = entry.note
    message = entry.message
    switch entry.subject {
    case .record(let record):
      session = nil
      target = record.target.description
      portal = PortalJSON(record.portal)
      interface = record.interface.name.description
    case .session(let id, let name):
      (portal, interface) = (nil, nil)
      session = id.rawValue
      target = name
    }
  }
}

/// `set --json`.
struct SetSettingsDocument: JSONDocument {
  static let kind = "set"
  let dryRun: Bool
  let settings: [SettingJSON]

  /// Nothing was done.
  init() { (dryRun, settings) = (false, []) }

  /// What was done, or would be.
  init(_ report: TuningReport, dryRun: Bool) {
    self.dryRun = dryRun
    settings = report.entries.map(SettingJSON.init)
  }
}

/// `tune --json`.
struct TuneDocument: JSONDocument {
  static let kind = "tune"

  /// What became of the file of udev rules.
  struct Rules: Encodable {
    let path: String
    let changed: Bool
  }

  let profile: String?
  let dryRun: Bool
  let settings: [SettingJSON]
  var isVerified: Bool?
  var rules: Rules?

  private enum CodingKeys: String, CodingKey {
    case profile, dryRun, settings, rules
    case isVerified = "verified"
  }

  /// A profile and what was done for it, or would be.
  init(_ profile: TuningProfile?, dryRun: Bool, _ report: TuningReport? = nil) {
    self.profile = profile?.rawValue
    self.dryRun = dryRun
    settings = report?.entries.map(SettingJSON.init) ?? []
  }
}

/// `set --list --json`.
struct TimeoutListDocument: JSONDocument {
  static let kind = "timeout-list"

  struct Entry: Encodable {
    let setting: String
    let summary: String
    let place: String
    let path: String?
    let recordKey: String?
    let leastSeconds: UInt32
    let mostSeconds: UInt32
    let standard: String
    let zeroMeaning: String?
    let offMeaning: String?
    let live: Bool
    let udev: Bool
    let effect: String

    init(_ timeout: Timeout) {
      let details = timeout.details
      setting = timeout.rawValue
      summary = details.summary
      place = details.place.rawValue
      path = details.path
      recordKey = details.recordKey
      leastSeconds = details.range.lowerBound
      mostSeconds = details.range.upperBound
      standard = details.standard.description
      zeroMeaning = details.zeroMeaning
      offMeaning = details.offMeaning
      live = details.isLive
      udev = details.isForUdev
      effect = details.effect
    }
  }

  let timeouts = Timeout.allCases.map(Entry.init)
}

/// A setting and what it is to be, in JSON.
struct WantedSettingJSON: Encodable {
  let setting: String
  let value: String

  init(_ setting: String, _ value: String) {
    self.setting = setting
    self.value = value
  }
}

/// `tune --list --json`.
struct ProfileListDocument: JSONDocument {
  static let kind = "profile-list"

  struct Profile: Encodable {
    let profile: String
    let summary: String
    let settings: [WantedSettingJSON]

    init(_ profile: TuningProfile) {
      self.profile = profile.rawValue
      summary = profile.summary
      settings = profile.settings.texts.map(WantedSettingJSON.init)
    }
  }

  let profiles = TuningProfile.allCases.map(Profile.init)
}

extension TimeoutSettings {
  /// Names and values of all, the scheduler last.
  var texts: [(name: String, value: String)] {
    all.map { ($0.timeout.rawValue, $0.value.description) }
      + (schedulerWord.map { [(IOScheduler.settingName, $0)] } ?? [])
  }
}
