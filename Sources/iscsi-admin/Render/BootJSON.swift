// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// `boot show --json`.
struct BootPlanDocument: JSONDocument {
  static let kind = "boot-plan"

  /// What firmware has left.
  struct Firmware: Encodable {
    let source: String
    let used: Bool
    let initiator: String?
    let problems: [String]
  }

  /// A link.
  struct Link: Encodable {
    let source: String
    let origin: String?
    let device: String?
    let hardwareAddress: String?
    let method: String
    let address: String?
    let prefixLength: UInt8?
    let gateway: String?
    let vlan: UInt16?
    let mtuBytes: UInt32?
    let nameServers: [String]
    let targets: [String]
    let onlyIfUnreachable: Bool
  }

  /// A login.
  struct Login: Encodable {
    let source: String
    let origin: String?
    let target: String
    let portal: PortalJSON
    let initiator: String?
    let lun: UInt64?
    let needed: Bool
    let userName: String?
    let targetUserName: String?
    let replacementTimeoutSeconds: Int64
    let noopIntervalSeconds: Int64
    let noopTimeoutSeconds: Int64
    let deviceTimeoutSeconds: UInt32?
    let loginRetrySeconds: Int64?
  }

  /// The file of assignments.
  struct SettingsFile: Encodable {
    let path: String
    let names: [String]
  }

  let firmware: [Firmware]
  let settingsFile: SettingsFile?
  let network: [Link]
  let logins: [Login]
  let awaitsRootPath: Bool
  let problems: [String]

  init(_ plan: (input: BootPlan.Input, plan: BootPlan)?) {
    firmware = (plan?.input.firmware ?? []).map { boot in
      Firmware(
        source: boot.source.description, used: plan?.input.usesFirmware ?? false,
        initiator: boot.initiator?.name?.description, problems: boot.problems.map(\.description))
    }
    settingsFile = (plan?.input.parameters.settingsFile).map { SettingsFile(path: $0.path, names: $0.names) }
    network = (plan?.plan.links ?? []).map(Link.init)
    logins = (plan?.plan.logins ?? []).map(Login.init)
    awaitsRootPath = plan?.plan.awaitsRootPath ?? false
    problems = (plan?.plan.problems ?? []).map(\.description)
  }
}

extension BootPlanDocument.Link {
  fileprivate init(_ link: BootLink) {
    var (fixed, length): (IPAddress?, UInt8?) = (nil, nil)
    if case .fixed(let address, let prefixLength, _) = link.addressing { (fixed, length) = (address, prefixLength) }
    var (name, card): (String?, String?) = (nil, nil)
    switch link.device {
    case .named(let device): name = device
    case .hardwareAddress(let address): card = address.description
    case .any: break
    }
    self.init(
      source: link.source, origin: link.origin, device: name, hardwareAddress: card, method: link.addressing.name,
      address: fixed?.description, prefixLength: length, gateway: link.gateway?.description, vlan: link.vlan?.number,
      mtuBytes: link.mtu, nameServers: link.nameServers.map(\.description), targets: link.targets.map(\.description),
      onlyIfUnreachable: link.isFallback)
  }
}

extension BootPlanDocument.Login {
  fileprivate init(_ login: BootLogin) {
    let (record, request) = (login.record, try? login.request())
    let times = record.timeouts
    let hasSecret = record.authentication.secret != nil
    self.init(
      source: login.source, origin: login.origin, target: record.target.description, portal: PortalJSON(record.portal),
      initiator: record.interface.initiatorName, lun: login.lun?.linuxNumber, needed: login.isNeeded,
      userName: hasSecret ? record.authentication.name : nil,
      targetUserName: hasSecret ? record.authentication.targetName : nil,
      replacementTimeoutSeconds: times.replacement.map(\.components.seconds) ?? -1,
      noopIntervalSeconds: times.noopInterval.components.seconds,
      noopTimeoutSeconds: times.noopTimeout.components.seconds,
      deviceTimeoutSeconds: login.devices.timeout,
      loginRetrySeconds: request?.options.timeouts.loginRetryWindow.components.seconds)
  }
}

extension BootAddressing {
  /// The word of `boot-plan`.
  fileprivate var name: String {
    switch self {
    case .fixed: "static"
    case .dhcp(false): "dhcp"
    case .dhcp(true): "dhcp6"
    case .routerAdvertisement: "auto6"
    case .firmware: "ibft"
    case .linkOnly: "none"
    }
  }
}

/// A device that was set up, as `boot-network` and `boot-connect` have it.
struct BootLinkJSON: Encodable {
  let source: String
  let device: String
  let address: String?
  let prefixLength: UInt8?
  let gateway: String?
  let nameServers: [String]
  let targets: [String]
  let rootPath: String?
  let wasThere: Bool
  let carrier: Bool

  init(_ report: BootLinkReport) {
    source = report.source
    device = report.device
    address = report.address?.description
    prefixLength = report.prefixLength
    gateway = report.gateway?.description
    nameServers = report.nameServers.map(\.description)
    targets = report.targets.map(\.description)
    // Who has put a secret into it has given it to everybody on the network, but not to those who read this.
    rootPath = report.rootPath.map { $0.contains("@") ? nil : $0 } ?? nil
    wasThere = report.wasThere
    carrier = report.hasCarrier
  }
}

/// `boot network --json`.
struct BootNetworkDocument: JSONDocument {
  static let kind = "boot-network"
  let network: [BootLinkJSON]

  init(_ outcome: BootNetworkOutcome) { network = outcome.reports.map(BootLinkJSON.init) }
}

/// `boot connect --json`.
struct BootConnectDocument: JSONDocument {
  static let kind = "boot-connect"

  /// A session.
  struct Session: Encodable {
    let session: UInt32?
    let target: String
    let portal: PortalJSON
    let lun: UInt64?
    let wasThere: Bool
    let devices: [DeviceJSON]
  }

  let network: [BootLinkJSON]
  let sessions: [Session]

  init(_ network: BootNetworkOutcome, _ logins: [BootConnectOutcome.Login]) {
    self.network = network.reports.map(BootLinkJSON.init)
    sessions = logins.filter(\.result.isThere).map { login in
      let report = try? login.result.get()
      return Session(
        session: (report?.session ?? login.result.existing)?.rawValue, target: login.login.record.target.description,
        portal: PortalJSON(login.login.record.portal), lun: login.login.lun?.linuxNumber, wasThere: report == nil,
        devices: (report?.devices ?? []).map { DeviceJSON($0) })
    }
  }
}
