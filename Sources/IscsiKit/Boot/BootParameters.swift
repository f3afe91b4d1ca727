// SPDX-License-Identifier: Apache-2.0

/// What somebody asks of a boot from iSCSI: on the kernel's command line, in a file of the initramfs, or by arguments.
///
/// The names of dracut (`netroot=iscsi:…`, `rd.iscsi.…`) and of Debian's initramfs-tools (`iscsi_…`, `ISCSI_…`) mean the
/// same here, and those of the network are the kernel's (`ip=`) and dracut's. What is not asked for is nil or empty.
public struct BootParameters: Hashable, Sendable {
  /// A key of a node's record and its value, or a timeout that no record has.
  public struct Setting: Hashable, Sendable, CustomStringConvertible, CustomReflectable {
    /// The key: `node.session.timeo.replacement_timeout`, or the name of a ``Timeout``.
    public let key: String
    /// The value as people write it. It may be a secret.
    public let value: String

    /// A setting from its parts.
    public init(key: String, value: String) {
      self.key = key
      self.value = value
    }

    /// A setting whose value is a secret.
    public init(key: String, secret: Secret) {
      self.init(key: key, value: String(decoding: secret.octets, as: UTF8.self))
    }

    /// The key alone.
    public var description: String { key }
    /// No children, so that `dump` shows no secret.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
  }

  /// A file that assigns parameters, such as Debian's `iscsi.initramfs`.
  public struct SettingsFile: Hashable, Sendable {
    /// Where it is.
    public let path: String
    /// The variables that it assigns and that are parameters, in their order. Their values may be secrets.
    public internal(set) var names: [String] = []
  }

  /// Whether a target is asked for, be it in words that cannot be understood.
  public var isAskedFor = false
  /// As whom we log in.
  public var initiator: InitiatorName?
  /// Whether the targets of boot firmware are wanted; nil leaves that to whether anything else is named.
  public var usesFirmware: Bool?
  /// Whether a DHCP server tells the target.
  public var usesRootPath = false
  /// Whether a target is asked for that is named elsewhere: by other parameters, by firmware, or else by a DHCP server.
  public var namesTargetElsewhere = false
  /// Whether all targets are ways to the same disks, of which one will do.
  public var isMultipath = false
  /// The targets that are named with all that belongs to them.
  public var targets: [BootTarget] = []
  /// A target whose name, addresses, port and portal group are told one by one.
  public var targetName: TargetName?
  /// Where that name was read; nil if that is not known.
  var targetNameOrigin: String?
  /// Its addresses.
  public var targetHosts: [PortalHost] = []
  /// Its TCP port; also for those of `targets` that have none.
  public var targetPort: UInt16?
  /// Its portal group tag likewise.
  public var targetGroup: PortalGroupTag?
  /// The unit of it that is wanted; nil is all.
  public var lun: LUN?
  /// What it takes to log in to all targets that have nothing of their own.
  public var authentication = RecordAuthentication()
  /// Settings of the logins, in their order.
  public var settings: [Setting] = []
  /// How many logins are tried at the most, in units of the login timeout.
  public var loginRetryLimit: UInt32?
  /// For how many seconds logins are tried again.
  public var loginSeconds: UInt32?
  /// What the sessions' timeouts are like.
  public var profile: TuningProfile?
  /// How network devices are set up.
  public var interfaces: [BootInterface] = []
  /// The VLANs that are needed for that.
  public var vlans: [BootVLAN] = []
  /// Routes besides those to the targets.
  public var routes: [BootRoute] = []
  /// Name servers.
  public var nameServers: [IPAddress] = []
  /// Whether a default route is wanted, whoever tells the gateway.
  public var wantsDefaultRoute = false
  /// Whether the system that is booted is told to leave the network devices of the boot alone.
  public var handsOver = false
  /// Whether the machine is to know the name servers, whoever tells them.
  public var wantsNames = false
  /// The MAC address of the device that the machine was booted over.
  public var bootDevice: HardwareAddress?
  /// The MAC addresses of devices that something else gives their names.
  public var deviceNames: [String: HardwareAddress] = [:]
  /// The names of devices that dracut's module network is to make of others, such as a bond.
  var devicesOfDracut: Set<String> = []
  /// How the network is set up where nothing else says it: what images of initramfs-tools are configured with.
  public var usualInterface: BootInterface?
  /// Whether a network device was to be set up in a way that could not be understood.
  public var hasRefusedInterface = false
  /// The file that says some of this; nil if none does.
  public var settingsFile: SettingsFile?
  /// Whether there is a file that may say some of this, and we are not allowed to read it.
  public var lacksPermission = false
  /// What could not be understood, and is as if it had not been said.
  public var problems: [BootProblem] = []

  /// Nothing is asked for.
  public init() {}

  /// Whether any of this names a target, or says who does.
  public var namesTarget: Bool { !targets.isEmpty || targetName != nil || usesRootPath }

  /// These parameters, with others where these say nothing. A list counts as a whole.
  ///
  /// - Parameters:
  ///   - others: Where these say nothing.
  ///   - isFirmwareEnough: Whether who wants firmware's targets does not want those that the others name.
  /// - Returns: Both.
  public func over(_ others: BootParameters, isFirmwareEnough: Bool = true) -> BootParameters {
    let takesTargets = usesFirmware != true || !isFirmwareEnough
    var all = self
    all.isAskedFor = isAskedFor || others.isAskedFor
    all.namesTargetElsewhere = namesTargetElsewhere || others.namesTargetElsewhere
    all.isMultipath = isMultipath || others.isMultipath
    all.hasRefusedInterface = hasRefusedInterface || (interfaces.isEmpty && others.hasRefusedInterface)
    all.settingsFile = settingsFile ?? others.settingsFile
    all.lacksPermission = lacksPermission || others.lacksPermission
    all.initiator = initiator ?? others.initiator
    // Who names a target does not want those that others name.
    if !namesTarget, takesTargets {
      all.usesFirmware = usesFirmware ?? others.usesFirmware
      all.usesRootPath = others.usesRootPath
      all.targets = others.targets
    }
    if targets.isEmpty, takesTargets {
      all.targetName = targetName ?? others.targetName
      all.targetNameOrigin = targetName == nil ? others.targetNameOrigin : targetNameOrigin
      all.targetHosts = targetHosts.isEmpty ? others.targetHosts : targetHosts
      all.targetPort = targetPort ?? others.targetPort
      all.targetGroup = targetGroup ?? others.targetGroup
      all.lun = lun ?? others.lun
    }
    all.authentication = authentication.completed(by: others.authentication)
    all.settings = others.settings + settings
    all.loginRetryLimit = loginRetryLimit ?? others.loginRetryLimit
    all.loginSeconds = loginSeconds ?? others.loginSeconds
    all.profile = profile ?? others.profile
    all.interfaces = interfaces.isEmpty ? others.interfaces : interfaces
    all.vlans = vlans.isEmpty ? others.vlans : vlans
    all.routes = routes.isEmpty ? others.routes : routes
    all.nameServers = nameServers.isEmpty ? others.nameServers : nameServers
    all.wantsDefaultRoute = wantsDefaultRoute || others.wantsDefaultRoute
    all.handsOver = handsOver || others.handsOver
    all.wantsNames = wantsNames || others.wantsNames
    all.bootDevice = bootDevice ?? others.bootDevice
    all.usualInterface = usualInterface ?? others.usualInterface
    all.devicesOfDracut = devicesOfDracut.union(others.devicesOfDracut)
    all.deviceNames = others.deviceNames.merging(deviceNames) { $1 }
    all.problems = others.problems + problems
    return all
  }
}

extension RecordAuthentication {
  /// This, with another where this says nothing. A name and its secret stay together.
  func over(_ other: RecordAuthentication) -> RecordAuthentication {
    var both = self
    if name == nil, secret == nil { (both.name, both.secret) = (other.name, other.secret) }
    if targetName == nil, targetSecret == nil {
      (both.targetName, both.targetSecret) = (other.targetName, other.targetSecret)
    }
    return both
  }

  /// This, with what it does not say itself from another: a secret of one place may be for a name of another one.
  func completed(by other: RecordAuthentication) -> RecordAuthentication {
    var both = self
    both.name = name ?? other.name
    both.secret = secret ?? other.secret
    both.targetName = targetName ?? other.targetName
    both.targetSecret = targetSecret ?? other.targetSecret
    return both
  }
}
