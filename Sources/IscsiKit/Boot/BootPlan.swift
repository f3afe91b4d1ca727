// SPDX-License-Identifier: Apache-2.0

/// A login that a boot needs.
public struct BootLogin: Hashable, Sendable {
  /// What asks for it: the name of a parameter, or a folder of the firmware.
  public var source: String
  /// Where that was read, in words: `netroot= on the kernel's command line`; nil if there is no more to say than ``source``.
  public var origin: String?
  /// The node as a record has it, with our name.
  public var record: NodeRecord
  /// What its disks are set to.
  public var devices = DeviceSettings()
  /// For how long the login is tried, in seconds; nil is as the record says.
  public var seconds: UInt32?
  /// The unit that the system is on, as far as that is told.
  public var lun: LUN?
  /// The unit that may be meant as well, if there is no such unit.
  public var otherLUN: LUN?
  /// Whether `root=` names the target.
  public var isRoot = false
  /// Whether only this unit is made visible.
  public var isOnlyUnit = false
  /// Whether the boot needs the target. Of those of firmware it needs the ones that the firmware has booted with.
  public var isNeeded = true

  /// The request.
  ///
  /// - Throws: Which key of the record makes a login impossible.
  public func request() throws(LoginDescriptionError) -> LoginRequest {
    var request = try LoginDescription(record).request { () throws(LoginDescriptionError) in
      throw LoginDescriptionError(field: "iface.initiatorname", reason: "missing")
    }
    request.options.devices = request.options.devices.merged(with: devices)
    if let seconds {
      request.options.timeouts.loginRetryWindow = .seconds(Int64(seconds))
      request.options.timeouts.login = min(request.options.timeouts.login, .seconds(Int64(max(seconds, 1))))
    }
    if isOnlyUnit, let lun { request.options.scan = .only([lun]) }
    return request
  }
}

/// What a boot from iSCSI does: the network that it sets up, and the logins that it makes. A value that follows from what is
/// asked for and what firmware has left, without any I/O.
public struct BootPlan: Hashable, Sendable {
  /// What a plan is made from.
  public struct Input: Sendable {
    /// What is asked for.
    public var parameters: BootParameters
    /// What firmware has left.
    public var firmware: [FirmwareBoot]
    /// The machine's name as an initiator; nil if it has none.
    public var machineName: InitiatorName?
    /// How new records are configured.
    public var configuration: InitiatorConfiguration
    /// What DHCP servers have told since.
    public var rootPaths: [String] = []
    /// Whether it is told if firmware has left nothing: not where the plan is for a machine that may be another one.
    var isFirmwareVisible = true

    /// An input from its parts.
    public init(
      parameters: BootParameters, firmware: [FirmwareBoot] = [], machineName: InitiatorName? = nil,
      configuration: InitiatorConfiguration = InitiatorConfiguration()
    ) {
      self.parameters = parameters
      self.firmware = firmware
      self.machineName = machineName
      self.configuration = configuration
    }

    /// Whether the targets of firmware are wanted: they are asked for, or nothing else is.
    public var usesFirmware: Bool { parameters.usesFirmware ?? !(parameters.namesTarget || usesRootPath) }

    /// Whether it is of use to know what firmware has left: for its targets, its network, or the name that it gives us.
    var wantsFirmwareTable: Bool {
      let isNameless = parameters.initiator == nil && machineName == nil && parameters.isAskedFor
      return usesFirmware || isNameless || parameters.interfaces.contains { $0.addressing == .firmware }
    }

    /// Whether a DHCP server is to tell the target: that is asked for, or the target is to be known from elsewhere, and is not.
    public var usesRootPath: Bool {
      parameters.usesRootPath
        || (parameters.namesTargetElsewhere && !parameters.namesTarget && parameters.usesFirmware != true)
    }
  }

  /// The network, in the order in which it is asked for.
  public internal(set) var links: [BootLink] = []
  /// The logins likewise.
  public internal(set) var logins: [BootLogin] = []
  /// Whether a DHCP server has to tell a target, and none has yet.
  public internal(set) var awaitsRootPath = false
  /// What could not be understood, or cannot be done. The rest is done all the same.
  public internal(set) var problems: [BootProblem] = []
  /// Whether a boot from iSCSI is wanted, be it in words, or by a firmware, of which nothing can be made.
  public internal(set) var isAskedFor = false
  /// Whether a login is wanted, and nothing says as whom.
  public internal(set) var lacksInitiatorName = false
  /// Whether a DHCP server has named a root file system that is not on iSCSI.
  public internal(set) var hasOtherRootPath = false
  /// Whether the targets are left to firmware that nobody here can see.
  var hasUnseenFirmware = false
  /// Whether there is a file that may ask for more, and we are not allowed to read it.
  public internal(set) var lacksPermission = false
  /// Whether all targets are ways to the same disks.
  public internal(set) var isMultipath = false
  /// Whether the name servers of the links are for the machine, too: who names one wants that, as from the kernel.
  public internal(set) var wantsNames = false
  /// The names of devices that dracut is to make.
  var devicesOfDracut: Set<String> = []
  /// The routes that are wanted besides those to the targets.
  var routes: [BootRoute] = []

  /// Whether there is anything to do about iSCSI.
  public var isEmpty: Bool { logins.isEmpty && !awaitsRootPath }

  /// A plan of a link alone, with the targets that it has.
  init(_ link: BootLink) { links = [link] }

  /// The plan for an input.
  public init(_ input: Input) {
    problems = input.parameters.problems
    lacksPermission = input.parameters.lacksPermission
    isMultipath = input.parameters.isMultipath
    devicesOfDracut = input.parameters.devicesOfDracut
    let hasFirmware = input.firmware.contains { !$0.targets.isEmpty || !$0.problems.isEmpty }
    isAskedFor = input.parameters.isAskedFor || (input.usesFirmware && hasFirmware)
    let trustsFirmware = input.parameters.usesFirmware ?? !input.parameters.isAskedFor
    hasUnseenFirmware = trustsFirmware && input.firmware.isEmpty && !input.isFirmwareVisible
    if input.usesFirmware { addFirmware(input) }
    noteMissingFirmware(input)
    addTargets(input)
    let explicit = input.parameters.interfaces.filter { $0.addressing != .firmware }
    let wantsFirmwareNetwork = explicit.count < input.parameters.interfaces.count
    // Parameters go before firmware, but where both are asked for.
    if wantsFirmwareNetwork || (explicit.isEmpty && input.usesFirmware) { addFirmwareLinks(input) }
    links += explicit.map { link($0, input.parameters) }
    if links.isEmpty, asksBesidesFirmware { addFallback(input.parameters) }
    routes = input.parameters.routes
    spreadRoutes()
    spreadTargets()
    for index in links.indices {
      if case .dhcp = links[index].addressing { links[index].wantsRootPath = input.usesRootPath }
      for server in input.parameters.nameServers where !links[index].nameServers.contains(server) {
        links[index].nameServers.append(server)
      }
      if input.parameters.wantsDefaultRoute { links[index].makesDefaultRoute = true }
    }
    wantsNames =
      input.parameters.wantsNames || !input.parameters.nameServers.isEmpty
      || explicit.contains { !$0.nameServers.isEmpty }
  }
}

// MARK: - Targets

extension BootPlan {
  /// Whether there is a target that firmware has not named, which could have set up its network as well.
  private var asksBesidesFirmware: Bool {
    awaitsRootPath || logins.contains { !$0.isFirmware }
  }
}

extension BootPlan {
  /// Tells that firmware is wanted that is not there, unless it is there and cannot be read, which is told already.
  private mutating func noteMissingFirmware(_ input: Input) {
    guard !input.parameters.problems.contains(where: { $0.parameter == "firmware" }) else { return }
    let table =
      input.isFirmwareVisible
      ? "this kernel shows no table (iBFT): the boot ROM of the card has to be set up for iSCSI, and to start the system"
      : "the firmware of the machine cannot be seen from here: its boot ROM has to be set up for iSCSI, and to start the system"
    if input.parameters.usesFirmware == true, input.firmware.isEmpty {
      note(BootProblem(parameter: "rd.iscsi.firmware", reason: table))
    }
    if input.parameters.interfaces.contains(where: { $0.addressing == .firmware }), input.firmware.isEmpty {
      note(BootProblem(parameter: "ip=ibft", reason: table))
    }
  }

  private mutating func addFirmware(_ input: Input) {
    var found: [FirmwareEntry] = []
    for boot in input.firmware {
      let entries = boot.entries(withoutDevices: true)
      for problem in boot.problems + entries.problems {
        problems.append(BootProblem(parameter: problem.field, reason: problem.reason))
      }
      found += entries.found
    }
    let hasSelected = found.contains(where: \.isBootSelected)
    for entry in found {
      let source = "\(entry.source)/target\(entry.target.index)"
      guard entry.transport == "tcp" else {
        problems.append(BootProblem(parameter: source, reason: "the card logs in by itself (\(entry.transport))"))
        continue
      }
      let name = input.parameters.initiator ?? entry.initiator?.name ?? input.machineName
      var login = BootLogin(source: source, record: input.configuration.node(entry))
      login.lun = entry.target.lun?.lun
      login.isNeeded = !hasSelected || entry.isBootSelected
      add(login, as: name, input)
    }
  }

  private mutating func addTargets(_ input: Input) {
    let parameters = input.parameters
    // What is named twice is what root= says of it.
    for target in parameters.targets where target.isRoot { add(target, "root", parameters.targetHosts, input) }
    for target in parameters.targets where !target.isRoot { add(target, "netroot", parameters.targetHosts, input) }
    if let name = parameters.targetName {
      if parameters.targetHosts.isEmpty, parameters.targets.isEmpty {
        problems.append(BootProblem(parameter: "iscsi_target_name", reason: "it is not told where the target is"))
      }
      var target = BootTarget(name: name)
      target.origin = parameters.targetNameOrigin
      target.lun = parameters.lun
      if name.iscsiName == nil {
        // Some targets have such names, and most of these are mistyped.
        let warning = TargetName.Warning.noFormat
        note(BootProblem(parameter: "iscsi_target_name", reason: "\(name): \(warning)"))
      }
      if !parameters.targets.contains(where: { $0.name == name }) {
        for host in parameters.targetHosts {
          target.host = host
          add(target, "iscsi_target_name", [], input)
        }
      }
    }
    guard input.usesRootPath else { return }
    for text in input.rootPaths where !text.isEmpty {
      hasOtherRootPath = hasOtherRootPath || !BootTarget.isOne(text)
      do throws(BootParameterFault) {
        add(try BootTarget(rootPath: text), "root-path", parameters.targetHosts, input)
      } catch {
        problems.append(BootProblem(parameter: "root-path", reason: error.reason))
      }
    }
    awaitsRootPath = !logins.contains { $0.source == "root-path" }
  }

  /// Adds the logins to a target: at its address, or at those that are told elsewhere.
  private mutating func add(_ target: BootTarget, _ source: String, _ others: [PortalHost], _ input: Input) {
    let parameters = input.parameters
    let hosts = target.host.map { [$0] } ?? others
    if hosts.isEmpty {
      problems.append(BootProblem(parameter: source, reason: "it is not told where \(target.name) is"))
    }
    if let lun = target.lun, let other = target.decimalLUN {
      let reason =
        "the LUN of \(target.name) is hexadecimal, and means unit \(lun), or else unit \(other) if there is no such unit"
      note(BootProblem(parameter: source, reason: reason))
    }
    for host in hosts {
      let portal = Portal(
        host: host, port: target.port ?? parameters.targetPort ?? Portal.defaultPort, tag: parameters.targetGroup ?? 1)
      var interface = InterfaceRecord.standard
      if let device = target.device, let name = InterfaceName(device) {
        interface.name = name
        interface.networkDevice = device
      }
      var record = input.configuration.node(target.name, at: portal, over: interface)
      let told = target.authentication.over(parameters.authentication)
      record.authentication = told.over(record.authentication)
      var login = BootLogin(source: source, record: record)
      login.lun = target.lun
      login.otherLUN = target.decimalLUN
      login.origin = target.origin
      login.isRoot = target.isRoot
      login.isOnlyUnit = parameters.lun != nil && target.lun == parameters.lun
      add(login, as: parameters.initiator ?? input.machineName ?? input.firmwareName, input, told: told)
    }
  }

  /// Adds a login, with all that holds for every one, and with what is told of it.
  private mutating func add(
    _ login: BootLogin, as name: InitiatorName?, _ input: Input, told: RecordAuthentication? = nil
  ) {
    var login = login
    let parameters = input.parameters
    let profile = parameters.profile ?? .diskless
    guard let name else {
      let advice = "give iscsi_initiator=, or make /etc/iscsi/initiatorname.iscsi part of the image"
      problems.append(BootProblem(parameter: login.source, reason: "nothing says as whom to log in; \(advice)"))
      lacksInitiatorName = true
      return
    }
    login.record.interface.initiatorName = name.description
    login.record.applyBootDefaults()
    for (key, value) in profile.settings.recordValues { try? login.record.set(key, to: value) }
    login.devices = DeviceSettings(profile.settings)
    login.record.initialLoginRetryLimit = parameters.loginRetryLimit ?? login.record.initialLoginRetryLimit
    login.seconds = parameters.loginSeconds
    for setting in parameters.settings {
      if let reason = login.apply(setting) {
        note(BootProblem(parameter: setting.key, reason: reason))
      }
    }
    noteHalfCredentials(login.record.authentication, of: login.record.target)
    let place = (login.record.target, login.record.portal.address, login.record.interface.name)
    let same = logins.firstIndex { ($0.record.target, $0.record.portal.address, $0.record.interface.name) == place }
    guard let same else { return logins.append(login) }
    // Firmware and parameters may name the same one; what parameters tell of it counts more.
    guard let told, logins[same].isFirmware else { return }
    let firmware = logins[same]
    login.record.authentication = told.over(firmware.record.authentication)
    if parameters.initiator == nil { login.record.interface.initiatorName = firmware.record.interface.initiatorName }
    login.lun = login.lun ?? firmware.lun
    logins[same] = login
  }

  /// Tells of a name without a secret, and of a secret without a name, by which nobody can log in.
  private mutating func noteHalfCredentials(_ authentication: RecordAuthentication, of target: TargetName) {
    if authentication.name != nil, authentication.secret == nil {
      note(
        BootProblem(
          parameter: "iscsi_username", reason: "there is no secret for the login to \(target) (iscsi_password=)"))
    }
    if authentication.secret != nil, authentication.name == nil {
      note(
        BootProblem(
          parameter: "iscsi_password", reason: "there is no name for the login to \(target) (iscsi_username=)"))
    }
    if authentication.secret != nil, authentication.targetSecret != nil, authentication.targetName == nil {
      note(
        BootProblem(
          parameter: "iscsi_in_password", reason: "there is no name of the target \(target) (iscsi_in_username=)"))
    }
  }

  /// Tells a problem once, of however many ways to a target.
  private mutating func note(_ problem: BootProblem) {
    if !problems.contains(problem) { problems.append(problem) }
  }
}

extension BootLogin {
  /// Whether firmware names the target.
  var isFirmware: Bool { FirmwareBoot.Source(field: source) != nil }

  /// Makes a setting; why that cannot be, in words without its value if that may be a secret.
  fileprivate mutating func apply(_ setting: BootParameters.Setting) -> String? {
    if NodeRecord.keys[setting.key] != nil {
      do throws(RecordError) {
        try record.set(setting.key, to: setting.value)
        return nil
      } catch {
        return NodeRecord.keys[setting.key]?.role == .secret ? "it is no secret" : error.description
      }
    }
    var settings = TimeoutSettings()
    do throws(SettingRefusal) {
      try settings.add(setting.key, setting.value)
    } catch {
      return error.description
    }
    for (key, value) in settings.recordValues { try? record.set(key, to: value) }
    devices = devices.merged(with: DeviceSettings(settings))
    return nil
  }
}

extension BootPlan.Input {
  /// The name that firmware gives us.
  fileprivate var firmwareName: InitiatorName? { firmware.lazy.compactMap(\.initiator?.name).first }
}
