// SPDX-License-Identifier: Apache-2.0
internal import SystemPackage

extension BootRule {
  /// The kinds of images that there are hooks for, where nobody knows which kind one is.
  private static let kinds = "mkinitcpio, or KIND=dracut, or KIND=initramfs-tools"

  static let root = BootRule("root-session") { evidence in
    guard let session = evidence.session else {
      return [
        Match(
          .warning, "the root file system is not on iSCSI now, so that nothing can be compared with a session of it")
      ]
    }
    let portal = session.connection?.persistentPortal ?? session.connection?.portal
    let way = evidence.networkDevices.first.map { "reached through \($0)" }
    return [
      Match(
        .ok, "the root file system is on session \(session.id)",
        evidence: ["\(session.targetName ?? "-") at \(portal?.address ?? "-")", way].compactMap(\.self))
    ]
  }

  static let newerKernel = BootRule("newer-kernel") { evidence in
    guard !evidence.kernel.isEmpty else { return [] }
    guard let newest = evidence.newerKernels.last else {
      return [Match(.ok, "no kernel is installed that is newer than \(evidence.kernel)")]
    }
    // Who names a kernel means that one.
    if evidence.isKernelNamed {
      let what = "a kernel newer than \(evidence.kernel) is installed, and --kernel asks about \(evidence.kernel)"
      return [Match(.ok, what, evidence: evidence.newerKernels)]
    }
    return [
      Match(
        .warning, "a newer kernel is installed, and all this is about \(evidence.kernel)",
        evidence: evidence.newerKernels,
        remedy: .command("iscsi-admin boot check --kernel \(newest)", "checks the newest"))
    ]
  }

  static let daemon = BootRule("daemon") { evidence in
    guard let units = evidence.daemonUnits else { return [] }
    guard units.isEmpty else { return [Match(.ok, "the daemon starts at the boot", evidence: units)] }
    return [
      Match(
        .warning, "no daemon starts at the boot: the first loss of the network is for good",
        evidence: ["neither iscsi-admin.service nor iscsid.service is enabled"],
        remedy: .command("systemctl enable iscsi-admin.service", "starts it at each boot"))
    ]
  }

  static let kernelModules = BootRule("kernel-modules") { evidence in
    guard !evidence.kernel.isEmpty else {
      return [
        Match(
          .problem, "there are no modules of any kernel, so that nobody knows which one is to be booted",
          evidence: ["there is no modules.dep in any folder of \(evidence.modulesFolder)"],
          remedy: .advice("install a kernel with its modules, or name the kernel with --kernel"))
      ]
    }
    guard let modules = evidence.modules else {
      return [
        Match(
          .problem, "there are no modules for kernel \(evidence.kernel)",
          evidence: ["\(evidence.modulesFolder)/\(evidence.kernel)/modules.dep cannot be read"],
          remedy: .advice("install the kernel's modules, or name another kernel with --kernel"))
      ]
    }
    let missing = evidence.needs.filter { !$0.isOptional && modules.place(of: $0.module) == .missing }
    guard !missing.isEmpty else { return [Match(.ok, "kernel \(evidence.kernel) has all modules that a boot needs")] }
    return [
      Match(
        .problem, "kernel \(evidence.kernel) lacks modules that a boot needs",
        evidence: missing.map { "\($0.module) (\($0.reason)) is neither built in nor a file" },
        remedy: .advice("install the package with all modules of the kernel, or another kernel"))
    ]
  }

  static let image = BootRule("image") { evidence in
    if let image = evidence.image {
      let maker = image.generator.map { " made by \($0.rawValue)" } ?? ""
      return [Match(.ok, "the initramfs image\(maker) can be read", evidence: [image.path.string])]
    }
    guard let failure = evidence.imageFailure else { return [] }
    // What cannot be read may be as it should.
    let isUseless =
      switch failure {
      case .notFound, .cutOff: true
      case .unreadable, .noProgram, .malformed, .enclosed: false
      }
    return [
      Match(
        isUseless ? .problem : .warning, failure.description, remedy: failure.advice.map(Finding.Remedy.advice))
    ]
  }

  static let imageProgram = BootRule("image-program") { evidence in
    guard let image = evidence.image else { return [] }
    let programs = ["iscsi-admin", "iscsistart", "iscsiadm"].compactMap { name in
      image.program(name).map { (name: name, path: $0.path, fault: $0.fault) }
    }
    guard let program = programs.first else {
      return [
        Match(.problem, "the image has no program that logs in", remedy: image.remedy("make it part of the image"))
      ]
    }
    guard let fault = program.fault else { return [Match(.ok, "the image has \(program.name)")] }
    return [
      Match(
        .problem, "\(program.name) in the image cannot be run",
        evidence: ["/\(program.path) in the image: \(fault)"],
        remedy: image.remedy("see that the program of this system is whole, and that there is room for the image"))
    ]
  }

  static let imageHook = BootRule("image-hook") { evidence in
    guard let image = evidence.image else { return [] }
    if image.lacksQueue {
      return [
        Match(
          .problem, "the image has no loop in which hooks run",
          evidence: ["it has systemd, and no dracut-initqueue.service"],
          remedy: image.remedy("make dracut's module initqueue part of the image"))
      ]
    }
    if let own = image.ownHook, let other = image.otherHook {
      return [
        Match(
          .warning, "the image has two hooks that log in, and the second finds what the first has made",
          evidence: [own, other], remedy: image.remedy("remove the package of one of them"))
      ]
    }
    if let hook = image.ownHook { return [Match(.ok, "the image has a hook of iscsi-admin", evidence: [hook])] }
    if let hook = image.otherHook {
      return [Match(.ok, "the image has a hook of another package that logs in", evidence: [hook])]
    }
    return [
      Match(
        .problem, "nothing in the image logs in to the target",
        remedy: image.remedy("install the hook: make install-initramfs KIND=\(image.generator?.rawValue ?? kinds)"))
    ]
  }

  static let imageClient = BootRule("image-dhcp") { evidence in
    // The hooks of others ask in their own way.
    guard let image = evidence.image, image.ownHook != nil || image.otherHook == nil else { return [] }
    let links = evidence.plan?.links ?? []
    return [false, true].compactMap { isIPv6 in
      let leased = links.filter { $0.addressing == .dhcp(isIPv6: isIPv6) }
      return leased.isEmpty ? nil : client(for: leased, isIPv6: isIPv6, in: image)
    }
  }

  /// Whether an image has a client for links that get their addresses of one kind by DHCP. One that does IPv4 is of no use for IPv6.
  private static func client(for leased: [BootLink], isIPv6: Bool, in image: InitramfsImage) -> Match {
    let kind = isIPv6 ? "DHCPv6" : "DHCP"
    let clients = DHCPClient.programs.compactMap { isIPv6 ? $0.nameForIPv6 : $0.name }
    if let client = clients.first(where: image.hasProgram) {
      return Match(.ok, "the image has a \(kind) client: \(client)")
    }
    let others = DHCPClient.programs.flatMap { [$0.name, $0.nameForIPv6].compactMap(\.self) }
    let useless = others.filter(image.hasProgram).map {
      "\($0) is in it, and asks for \(isIPv6 ? "IPv4" : "IPv6") addresses alone"
    }
    return Match(
      leased.allSatisfy(\.isFallback) ? .warning : .problem, "the image has no \(kind) client",
      evidence: leased.map { "\($0.device) gets its address by \(kind) (\($0.origin ?? $0.source))" } + [
        "none of \(clients.joined(separator: ", ")) is in the image"
      ] + useless, remedy: image.remedy("make one part of the image, or give the address with ip="))
  }

  static let initiatorName = BootRule("initiator-name") { evidence in
    guard let image = evidence.image else { return [] }
    if evidence.plan?.lacksInitiatorName ?? false {
      return [
        Match(
          .problem, "the image does not know as whom to log in",
          evidence: ["\(image.lackOfName), and no parameter names us"],
          remedy: image.remedy("write /etc/iscsi/initiatorname.iscsi, or give iscsi_initiator="))
      ]
    }
    let names = Set(evidence.plan?.logins.compactMap(\.record.interface.initiatorName) ?? [])
    guard let used = evidence.session?.initiatorName ?? evidence.machineName?.description else { return [] }
    guard !names.isEmpty else { return [] }
    guard names == [used] else {
      return [
        Match(
          .problem, "the image logs in by another name than this system",
          evidence: ["in the image: \(names.sorted().joined(separator: ", "))", "here: \(used)"],
          remedy: image.remedy("make them equal: /etc/iscsi/initiatorname.iscsi, or iscsi_initiator="))
      ]
    }
    return [Match(.ok, "the image logs in as this system does", evidence: [used])]
  }

  static let parameters = BootRule("parameters") { evidence in
    guard let image = evidence.image, let plan = evidence.plan else { return [] }
    let problems = plan.problems.map { Match(.warning, $0.description) } + credentials(of: plan)
    guard !plan.isEmpty else {
      // The page's hooks have the values in themselves.
      guard image.ownHook != nil || image.otherHook == nil else { return problems }
      if plan.hasUnseenFirmware {
        // Nobody knows that the firmware names no target.
        return problems + (plan.isAskedFor ? [] : [unseenFirmware])
      }
      if plan.isAskedFor {
        let reasons = plan.problems.map(\.description)
        return [Match(.problem, "no login can be made of what the image is told", evidence: reasons)]
      }
      return problems + [
        Match(
          .problem, "nothing tells the image which target to log in to",
          remedy: .advice(
            "give the kernel netroot=iscsi:..., or write /etc/iscsi/iscsi.initramfs and make the image anew"))
      ]
    }
    guard let target = evidence.session?.targetName else {
      let targets = Set(plan.logins.map(\.record.target.description)).sorted()
      return problems + [Match(.ok, "a boot logs in to the target that it is told", evidence: targets)]
    }
    let logins = plan.logins.filter { $0.record.target.description == target }
    guard !logins.isEmpty || plan.awaitsRootPath else {
      return problems + [
        Match(
          .problem, "a boot would not log in to the target of the root file system",
          evidence: ["the root file system is on \(target)"]
            + plan.logins.map { "named: \($0.record.target) (\($0.origin ?? $0.source))" },
          remedy: .advice("name it by netroot=iscsi:..., or in /etc/iscsi/iscsi.initramfs"))
      ]
    }
    return problems + [
      Match(
        .ok, "a boot logs in to the target of the root file system",
        evidence: logins.map { "\($0.record.portal.address) (\($0.origin ?? $0.source))" })
    ]
  }

  private static let unseenFirmware = Match(
    .warning,
    "nothing but firmware can tell the image which target to log in to, and that of the machine cannot be seen from here",
    remedy: .advice(
      "set up the boot ROM of the machine for iSCSI, or give the kernel netroot=iscsi:..., or write /etc/iscsi/iscsi.initramfs and make "
        + "the image anew"))

  static let timers = BootRule("timers") { evidence in
    guard let session = evidence.session else { return [] }
    let profile = TuningProfile.diskless.settings
    var lines: [String] = []
    func compare(_ timeout: Timeout, _ present: (some BinaryInteger)?, _ place: String = "") {
      guard let present, let wanted = profile[timeout], let value = TimeoutValue(number: present), value != wanted
      else {
        return
      }
      lines.append("\(timeout)\(place) is \(timeout.words(value)), the profile has \(timeout.words(wanted))")
    }
    compare(.noopInterval, session.connection?.noopInterval)
    compare(.replacement, session.replacementTimeout)
    for device in session.devices where device.blockDevice != nil {
      compare(.device, device.timeout, " of \(device.blockDevice ?? "")")
    }
    guard lines.isEmpty else {
      return [
        Match(
          .warning, "the session of the root file system has other timeouts than the profile diskless", evidence: lines,
          remedy: .command(
            "iscsi-admin tune --profile diskless --persist \(session.id)", "sets them now, and for later boots"))
      ]
    }
    return [Match(.ok, "the session of the root file system has the timeouts of the profile diskless")]
  }

  static let shutdown = BootRule("shutdown") { evidence in
    guard evidence.session != nil, let device = evidence.networkDevices.first else { return [] }
    let findings = evidence.managers.compactMap { $0.finding(of: device) }
    return findings.isEmpty ? [Match(.ok, "nothing is known to take \(device) away at the shutdown")] : findings
  }
}

extension BootEvidence.NetworkManager {
  /// What is wrong with it; nil if it keeps the device.
  fileprivate func finding(of device: String) -> BootRule.Match? {
    switch self {
    case .networkManager, .networkd(keeps: true), .ifupdown(switchesOff: false): nil
    case .networkd(keeps: false):
      BootRule.Match(
        .warning, "systemd-networkd may take the address of \(device) away while the root file system needs it",
        evidence: ["its configuration of \(device) has no KeepConfiguration=yes"],
        remedy: .advice("add KeepConfiguration=yes to the [Network] section of its .network file"))
    case .ifupdown(switchesOff: true):
      BootRule.Match(
        .problem, "ifupdown switches \(device) off at the shutdown, while the root file system needs it",
        evidence: ["/etc/network/interfaces, or a file that it names, has it switched on at the boot"],
        remedy: .advice("add the line `no-auto-down \(device)`, or make it `iface \(device) inet manual`"))
    case .client(let name):
      BootRule.Match(
        .warning, "\(name) runs for \(device): killed at the shutdown, it may take the address away",
        evidence: ["a DHCP client that has given the root file system its network must not end before it"],
        remedy: .advice("end it and keep the address: dhcpcd --persistent, or let iscsi-admin boot connect ask"))
    }
  }
}

extension InitramfsImage {
  /// Our own hook in it: a script, or a unit of systemd that is wanted there.
  var ownHook: String? {
    if runsUnitsAlone {
      let units = ["usr/lib/systemd/system", "lib/systemd/system", "etc/systemd/system"].map { "\($0)/" }
      let unit = "iscsi-admin-boot.service"
      let isWanted = names.contains { $0.hasSuffix(".wants/\(unit)") }
      return isWanted ? units.map { $0 + unit }.first(where: names.contains) : nil
    }
    return names.sorted().first { name in
      guard let file = name.split(separator: "/").last, file.contains("iscsi-admin") else { return false }
      return name.contains("hooks/") || name.contains("scripts/") || file.hasSuffix(".service")
    }
  }

  /// The hook of another package: Debian's open-iscsi, dracut's module, or one by the wiki's page.
  fileprivate var otherHook: String? {
    // Our module of dracut has a program by that name, which does nothing.
    let isOurs = names.contains { $0.hasSuffix("connect-iscsi-admin.sh") }
    let programs = isOurs ? [] : ["usr/sbin/iscsiroot", "sbin/iscsiroot", "usr/bin/iscsiroot"]
    let scripts = ["scripts/local-top/iscsi"] + (runsUnitsAlone ? [] : ["hooks/iscsi"])
    return (scripts + programs).first(where: names.contains)
  }

  private var hasSystemd: Bool { !names.isDisjoint(with: ["usr/lib/systemd/systemd", "lib/systemd/systemd"]) }

  /// Whether nobody runs scripts in it: mkinitcpio's are for its images without systemd.
  private var runsUnitsAlone: Bool { generator == .mkinitcpio && hasSystemd }

  /// Whether dracut's loop is missing, in which its hooks run.
  fileprivate var lacksQueue: Bool {
    guard generator == .dracut, hasSystemd else { return false }
    return !names.contains { $0.hasSuffix("systemd/system/dracut-initqueue.service") }
  }

  /// Why no file in it says as whom to log in.
  fileprivate var lackOfName: String {
    guard let (file, text) = file(of: BootSources.nameFiles) else {
      return "it has no \(InitiatorNameFile.standardPath)"
    }
    guard let value = InitiatorNameFile.value(in: text) else {
      return "its \(file) has no valid InitiatorName=: there is no such line"
    }
    do throws(ISCSINameError) {
      _ = try InitiatorName(value)
      return "its \(file) has a valid InitiatorName="
    } catch {
      return "its \(file) has no valid InitiatorName=: \(error.description)"
    }
  }

  /// Something to do, and the command after it.
  func remedy(_ text: String) -> Finding.Remedy {
    .advice(generator.map { "\(text), then: \($0.command)" } ?? "\(text), then make the image anew")
  }
}
