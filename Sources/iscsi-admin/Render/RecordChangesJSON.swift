// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// A record and what was done to it in JSON.
struct RecordChangeJSON: Encodable {
  struct Setting: Encodable {
    let key: String
    let old: String?
    let new: String?
  }

  let action: String
  let target: String?
  let portal: PortalJSON?
  let interface: String?
  let discoveryKind: String?
  let settings: [Setting]

  init(_ step: RecordPlan.Step) {
    action = step.action.rawValue
    settings = step.settings.map { Setting(key: $0.key, old: $0.old, new: $0.new) }
    switch step.subject {
    case .node(let record):
      target = record.target.description
      portal = PortalJSON(record.portal)
      interface = record.interface.name.description
      discoveryKind = nil
    case .interface(let record):
      (target, portal, discoveryKind) = (nil, nil, nil)
      interface = record.name.description
    case .discovery(let record):
      (target, interface) = (nil, nil)
      portal = PortalJSON(record.portal)
      discoveryKind = record.kind.rawValue
    }
  }
}

/// `--json` of every command that edits records.
struct RecordChangesDocument: JSONDocument {
  static let kind = "record-changes"
  let dryRun: Bool
  let changes: [RecordChangeJSON]

  /// Nothing was done.
  init() { (dryRun, changes) = (false, []) }

  /// What a plan did, or would do.
  init(_ plan: RecordPlan, dryRun: Bool) {
    self.dryRun = dryRun
    changes = plan.steps.map(RecordChangeJSON.init)
  }
}
