// SPDX-License-Identifier: Apache-2.0

/// A parameter by all its names, and what it does.
struct BootParameterName: Sendable {
  /// The names on the kernel's command line: dracut's first. A file has the ones with `iscsi_` in capitals.
  let names: [String]
  /// Takes over a value; nil is a parameter without an equals sign.
  let take: @Sendable (inout BootParameters, String?) throws(BootParameterFault) -> Void
  /// Whether a file may have several values of it, with blanks between them.
  var isListInFile = false

  init(
    _ names: [String], take: @escaping @Sendable (inout BootParameters, String?) throws(BootParameterFault) -> Void
  ) {
    self.names = names
    self.take = take
  }

  /// A parameter that needs a value.
  static func value(
    _ names: String...,
    take: @escaping @Sendable (inout BootParameters, String) throws(BootParameterFault) -> Void
  ) -> BootParameterName {
    BootParameterName(names) { (parameters, value) throws(BootParameterFault) in
      guard let value, !value.isEmpty else { throw BootParameterFault("it has no value") }
      try take(&parameters, value)
    }
  }

  /// A parameter that is on where it stands, or says `1`, `yes`, `true` or the like.
  static func flag(
    _ names: String..., take: @escaping @Sendable (inout BootParameters, Bool) -> Void
  ) -> BootParameterName {
    BootParameterName(names) { (parameters, value) throws(BootParameterFault) in
      switch value?.lowercased() {
      case nil, "", "1", "y", "yes", "true", "on": take(&parameters, true)
      case "0", "n", "no", "false", "off": take(&parameters, false)
      default: throw BootParameterFault("it is neither 1 nor 0")
      }
    }
  }
}

extension BootParameterName {
  /// The same, of which a file may have several values.
  fileprivate var asListInFile: BootParameterName {
    var list = self
    list.isListInFile = true
    return list
  }

  /// All parameters (dracut: `dracut.cmdline(7)`; Debian: open-iscsi's `README.Debian`).
  static let all: [BootParameterName] = targets + logins + network

  private static let targets: [BootParameterName] = [
    .value("netroot") { (parameters, value) throws(BootParameterFault) in
      switch value {
      case "iscsi": (parameters.isAskedFor, parameters.namesTargetElsewhere) = (true, true)
      case "dhcp": parameters.askForRootPath()
      default: try parameters.addTarget(value)
      }
    },
    .value("root") { (parameters, value) throws(BootParameterFault) in
      if value == "dhcp" { parameters.askForRootPath() } else { try parameters.addTarget(value, isRoot: true) }
    },
    .value("iscsiroot") { (parameters, value) throws(BootParameterFault) in
      try parameters.addTarget(BootTarget.isOne(value) ? value : "iscsi:\(value)")
    },
    .flag("rd.iscsi.firmware", "rd.iscsi.ibft", "iscsi_firmware", "iscsi_auto") { (parameters, isOn) in
      parameters.usesFirmware = isOn
      parameters.isAskedFor = parameters.isAskedFor || isOn
    },
    .value("rd.iscsi.target.name", "iscsi_target_name") { (parameters, value) throws(BootParameterFault) in
      parameters.isAskedFor = true
      do throws(ISCSINameError) { parameters.targetName = try TargetName(value) } catch {
        throw BootParameterFault(error.description)
      }
    },
    .value("rd.iscsi.target.ip", "iscsi_target_ip") { (parameters, value) throws(BootParameterFault) in
      var hosts: [PortalHost] = []
      for word in value.split(separator: " ") {
        do throws(PortalError) { hosts.append(try PortalHost(word.withoutBrackets)) } catch {
          throw BootParameterFault(error.description)
        }
      }
      parameters.targetHosts = hosts
    },
    .value("rd.iscsi.target.port", "iscsi_target_port") { (parameters, value) throws(BootParameterFault) in
      parameters.targetPort = try BootTarget.port(value)
    },
    .value("rd.iscsi.target.group", "iscsi_target_group") { (parameters, value) throws(BootParameterFault) in
      guard value.utf8.allSatisfy(\.isDigit), let tag = PortalGroupTag(value) else {
        throw BootParameterFault("\(value.debugDescription) is no portal group tag (0 to 65535)")
      }
      parameters.targetGroup = tag
    },
  ]

  private static let logins: [BootParameterName] = [
    .value("rd.iscsi.initiator", "iscsi_initiator") { (parameters, value) throws(BootParameterFault) in
      do throws(ISCSINameError) { parameters.initiator = try InitiatorName(value) } catch {
        throw BootParameterFault(error.description)
      }
    },
    .value("rd.iscsi.username", "iscsi_username") { $0.authentication.name = $1 },
    .value("rd.iscsi.password", "iscsi_password") { (parameters, value) throws(BootParameterFault) in
      parameters.authentication.secret = try BootTarget.secret(value)
    },
    .value("rd.iscsi.in.username", "iscsi_in_username") { $0.authentication.targetName = $1 },
    .value("rd.iscsi.in.password", "iscsi_in_password") { (parameters, value) throws(BootParameterFault) in
      parameters.authentication.targetSecret = try BootTarget.secret(value)
    },
    BootParameterName.value("rd.iscsi.param", "iscsi_param") { (parameters, value) throws(BootParameterFault) in
      parameters.settings.append(try BootParameters.Setting(value))
    }.asListInFile,
    .value("rd.iscsi.login_retry_max", "iscsi_login_retry_max") { (parameters, value) throws(BootParameterFault) in
      guard value.utf8.allSatisfy(\.isDigit), let count = UInt32(value) else {
        throw BootParameterFault("\(value.debugDescription) is no number")
      }
      parameters.loginRetryLimit = count
    },
    .value("rd.iscsi.transport") { (_, value) throws(BootParameterFault) in
      guard value == "tcp" else { throw BootParameterFault("only tcp is supported, not \(value.debugDescription)") }
    },
    .value("rd.iscsi.profile", "iscsi_profile") { (parameters, value) throws(BootParameterFault) in
      guard let profile = TuningProfile(rawValue: value) else {
        let all = TuningProfile.allCases.map(\.rawValue).list("and")
        throw BootParameterFault("\(value.debugDescription) is none of \(all)")
      }
      parameters.profile = profile
    },
    .flag("rd.iscsi.mp") { $0.isMultipath = $1 },
    // What dracut needs them for is so here without them.
    BootParameterName(["rd.iscsi.waitnet", "rd.iscsi.testroute", "rd.neednet"]) { (_, _) in },
  ]

  private static let network: [BootParameterName] = [
    .value("ip", "iscsi_ip") { (parameters, value) throws(BootParameterFault) in
      let wasRefused = parameters.hasRefusedInterface
      parameters.hasRefusedInterface = true
      let interface = try BootInterface(parameter: value)
      parameters.hasRefusedInterface = wasRefused
      parameters.interfaces.append(interface)
    },
    .value("BOOTIF") { (parameters, value) throws(BootParameterFault) in
      // The kind of hardware is before it, 01 for Ethernet; PXELINUX writes hyphens.
      let octets = value.split { $0 == "-" || $0 == ":" }.suffix(6).joined(separator: ":")
      guard let address = HardwareAddress(octets) else {
        throw BootParameterFault("\(value.debugDescription) is no MAC address with 01- before it")
      }
      parameters.bootDevice = address
    },
    .value("ifname") { (parameters, value) throws(BootParameterFault) in
      let parts = value.split(separator: ":", maxSplits: 1)
      guard parts.count == 2, let address = HardwareAddress(parts[1]) else {
        throw BootParameterFault("it is not NAME:MAC")
      }
      parameters.deviceNames[try BootInterface.device(parts[0])] = address
    },
    .value("vlan", "iscsi_vlan") { (parameters, value) throws(BootParameterFault) in
      parameters.vlans.append(try BootVLAN(parameter: value))
    },
    .value("nameserver", "iscsi_nameserver") { (parameters, value) throws(BootParameterFault) in
      for word in value.split(separator: " ") { parameters.nameServers.append(try BootInterface.address(word)) }
    },
    .value("rd.route", "iscsi_route") { (parameters, value) throws(BootParameterFault) in
      parameters.routes.append(try BootRoute(parameter: value))
    },
    .flag("rd.iscsi.default_route", "iscsi_default_route") { $0.wantsDefaultRoute = $1 },
    .flag("rd.iscsi.hand_over", "iscsi_hand_over") { $0.handsOver = $1 },
    .flag("rd.iscsi.dns", "iscsi_dns") { $0.wantsNames = $1 },
    .value("bond", "bridge", "team") { (parameters, value) throws(BootParameterFault) in
      parameters.devicesOfDracut.insert(String(value.prefix { $0 != ":" }))
      throw BootParameterFault("such a device is made by dracut's module network, if the image has it, and not here")
    },
  ]

  private static let byName: [String: BootParameterName] = all.reduce(into: [:]) { found, parameter in
    for name in parameter.names { found[name] = parameter }
  }

  /// The parameter of a name on the kernel's command line; nil if it is none of ours.
  static func named(_ name: String) -> BootParameterName? { byName[name] }

  /// The names that are for iSCSI alone.
  private static let ownNames = Set(byName.keys.filter { $0.hasPrefix("rd.iscsi") || $0.hasPrefix("iscsi") })
  private static let variables = Set(ownNames.filter { $0.hasPrefix("iscsi_") }.map { $0.uppercased() })

  /// What is wrong with a word of the command line that is none of the names, if it seems to be meant for one; nil for the words of others.
  static func mistake(in name: String) -> String? {
    meant(by: name).map { noParameter(ownNames.contains($0) ? $0 : nil) }
  }

  /// The name of ours that a word of the command line is meant for, or else the word in small letters if it can only be meant for one; nil
  /// for the words of others.
  static func meant(by name: String) -> String? {
    let plain = name.lowercased()
    // What else stands there could be a secret.
    guard plain.utf8.allSatisfy({ $0.isDigit || (0x61...0x7A).contains($0) || "._-".utf8.contains($0) }) else {
      return nil
    }
    // A parameter of a module, such as iscsi_tcp.
    guard plain.hasPrefix("rd.") || !plain.contains(".") else { return nil }
    // For the whole kernel there are many words, of which few begin like this.
    guard plain.hasPrefix("rd.is") || plain.hasPrefix("is") else { return nil }
    if ownNames.contains(plain) { return plain }
    let isOurs = plain.hasPrefix("rd.iscsi") || plain.hasPrefix("iscsi")
    return plain.nearest(in: ownNames) ?? (isOurs ? plain : nil)
  }

  /// The same for a variable of a file.
  static func mistake(inVariable name: String) -> String? {
    meant(byVariable: name).map { noParameter(variables.contains($0) ? $0 : nil) }
  }

  /// The variable that another one is meant for, likewise.
  static func meant(byVariable name: String) -> String? {
    name.uppercased().nearest(in: variables) ?? (name.hasPrefix("ISCSI_") ? name : nil)
  }

  private static func noParameter(_ near: String?) -> String {
    "there is no such parameter" + (near.map { " (did you mean \($0)?)" } ?? "")
  }
}

extension BootParameters.Setting {
  /// Reads `KEY=VALUE`.
  init(_ text: some StringProtocol) throws(BootParameterFault) {
    guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
      throw BootParameterFault("it is not KEY=VALUE")
    }
    self.init(key: String(text[..<equals]), value: String(text[text.index(after: equals)...]))
  }
}

extension BootParameters {
  /// What a command line asks for. A later word counts more than an earlier one; lists keep their order.
  ///
  /// - Parameters:
  ///   - commandLine: The words.
  ///   - place: Where they were read, as in "on the kernel's command line"; nil if that is not known.
  public init(_ commandLine: KernelCommandLine, place: String? = nil) {
    self.init()
    add(commandLine, place: place)
  }

  /// Adds what another command line asks for, as if it were the rest of the same.
  mutating func add(_ commandLine: KernelCommandLine, place: String?) {
    for word in commandLine.words {
      guard let parameter = BootParameterName.named(word.name) else {
        guard let reason = BootParameterName.mistake(in: word.name) else { continue }
        problems.append(BootProblem(parameter: word.name, reason: reason))
        continue
      }
      take(parameter, [word.value], from: word.name, origin: place.map { "\(word.name)= \($0)" })
    }
  }

  /// What a file of the initramfs asks for: Debian's `iscsi.initramfs`, with the names of the command line in capitals.
  ///
  /// - Parameters:
  ///   - assignments: Its contents.
  ///   - file: Its name, for problems.
  public init(_ assignments: ShellAssignments, of file: String) {
    self.init()
    for line in assignments.refusedLines {
      problems.append(BootProblem(parameter: "\(file), line \(line)", reason: "not NAME=VALUE without substitutions"))
    }
    for assignment in assignments.all {
      let name = assignment.name.lowercased()
      // Debian's file has it for the shutdown, which ours does not need.
      guard assignment.name != "ISCSI_ROOT_KEEP_ALL_SESSIONS_AT_SHUTDOWN", !assignment.value.isEmpty else { continue }
      guard assignment.name.hasPrefix("ISCSI_"), let parameter = BootParameterName.named(name) else {
        guard let reason = BootParameterName.mistake(inVariable: assignment.name) else { continue }
        problems.append(BootProblem(parameter: "\(file): \(assignment.name)", reason: reason))
        continue
      }
      if settingsFile == nil { settingsFile = SettingsFile(path: file) }
      if settingsFile?.names.contains(assignment.name) == false { settingsFile?.names.append(assignment.name) }
      let values = parameter.isListInFile ? assignment.value.split(separator: " ").map(String.init) : [assignment.value]
      take(parameter, values, from: "\(file): \(assignment.name)", origin: "\(assignment.name) in \(file)")
    }
  }

  /// Takes what images of initramfs-tools are configured with (`initramfs.conf(5)`): `IP` and `DEVICE`. The card that the machine was
  /// booted over goes before that device.
  ///
  /// - Parameter files: The files in their order, of which a later one counts more.
  mutating func takeConfiguration(_ files: [(name: String, text: String)]) {
    let variables = files.map { (file: $0.name, values: ShellAssignments($0.text)) }
    func find(_ name: String) -> (name: String, value: String, file: String)? {
      let found = variables.compactMap { file, values in values[name].map { (name, $0, file) } }.last
      return found.flatMap { $0.1.isEmpty ? nil : $0 }
    }
    let (address, device) = (find("IP"), find("DEVICE"))
    guard var told = address ?? device else { return }
    do throws(BootParameterFault) {
      var interface = try BootInterface(parameter: address?.value ?? "dhcp")
      interface.origin = "\(told.name) in \(told.file)"
      if interface.device == nil, let device {
        told = device
        interface.usualDevice = try BootInterface.device(device.value)
      }
      usualInterface = interface
    } catch {
      problems.append(BootProblem(parameter: "\(told.file): \(told.name)", reason: error.reason))
    }
  }

  /// Takes all values, or none if one is wrong.
  private mutating func take(
    _ parameter: BootParameterName, _ values: [String?], from name: String, origin: String?
  ) {
    let before = self
    do throws(BootParameterFault) {
      for value in values { try parameter.take(&self, value) }
      for index in interfaces.indices.dropFirst(before.interfaces.count) { interfaces[index].origin = origin }
      for index in targets.indices where targets[index].origin == nil { targets[index].origin = origin }
      if parameter.names.contains("iscsi_target_name") { targetNameOrigin = origin }
    } catch {
      settings = before.settings
      problems.append(BootProblem(parameter: name, reason: error.reason))
    }
  }

  /// Adds the target of a root path; what else such a parameter can be is not for us.
  fileprivate mutating func addTarget(_ text: String, isRoot: Bool = false) throws(BootParameterFault) {
    guard BootTarget.isOne(text) else { return }
    isAskedFor = true
    var target = try BootTarget(rootPath: text)
    target.isRoot = isRoot
    // There is one root file system: a later word for it counts more.
    if isRoot { targets.removeAll(where: \.isRoot) }
    targets.append(target)
  }

  fileprivate mutating func askForRootPath() {
    (isAskedFor, usesRootPath) = (true, true)
  }
}
