// SPDX-License-Identifier: Apache-2.0
internal import Glibc
public import SystemPackage

/// Finds out what ``BootEvidence`` holds. It reads, and changes nothing, but that the kernel may look for a table of the machine's firmware
/// (``FirmwareReader/loadModule()``). Blocks for as long as a large image takes to unpack.
public struct BootEvidenceCollector: Sendable {
  /// Where parameters and files of this machine are.
  public var sources: BootSources
  /// The image; nil looks for the one of the kernel.
  public var image: FilePath?
  /// The kernel that is to be booted; nil is the one that runs.
  public var kernel: String?
  /// Where `/sys` and `/proc` of the machine are that runs this; another one than `/` is for tests.
  var machineRoot: FilePath = "/"

  /// A collector for this machine.
  public init(_ sources: BootSources = BootSources()) { self.sources = sources }

  /// What there is.
  ///
  /// - Parameter device: Finds the network device towards an address.
  /// - Returns: The evidence.
  public func evidence(towards device: (IPAddress) -> String?) -> BootEvidence {
    var evidence = BootEvidence(kernel: kernel ?? runningKernel ?? installedKernels.last ?? "")
    evidence.modulesFolder = place("lib/modules")
    evidence.modules = modules(of: evidence.kernel)
    evidence.isKernelNamed = kernel != nil
    evidence.newerKernels = installedKernels.filter { evidence.kernel.isOlder(than: $0) }
    evidence.daemonUnits = daemonUnits
    lookAtRoot(&evidence)
    do throws(InitramfsImageError) {
      let image = try readImage(of: evidence.kernel)
      evidence.image = image
      evidence.plan = plan(of: image)
    } catch {
      evidence.imageFailure = error
    }
    lookAtCards(&evidence)
    let portal = evidence.session?.connection.flatMap { $0.portal ?? $0.persistentPortal }
    let addresses = portal.map { [$0.host] } ?? evidence.plan?.logins.map(\.record.portal.host) ?? []
    if let name = addresses.lazy.compactMap(\.numeric).compactMap(device).first { lookAtWay(name, &evidence) }
    for name in evidence.bootDevices { lookAtDrivers(of: name, &evidence) }
    lookAtFiles(&evidence)
    lookAtSecrets(&evidence)
    evidence.machineName = try? sources.nameFile.read()
    return evidence
  }

  // MARK: - Kernel and image

  private var runningKernel: String? { Self.runningKernel(below: sources.root) }

  /// The kernel that runs, by the proc below a folder.
  static func runningKernel(below root: FilePath) -> String? {
    guard let contents = try? FileContents(of: root.appending("proc/sys/kernel/osrelease"), limit: 256) else {
      return nil
    }
    return String(String(decoding: contents.octets, as: UTF8.self).prefix { !$0.isWhitespace })
  }

  /// The kernel's command line at the boot: that which somebody gives, or else that of now.
  var commandLine: KernelCommandLine { KernelCommandLine(sources.commandLine ?? text("proc/cmdline") ?? "") }

  /// The kernels that have modules, from the oldest.
  private var installedKernels: [String] {
    let names = (try? SysfsDirectory(path: place("lib/modules")).names()) ?? []
    return names.filter { isThere("lib/modules/\($0)/modules.dep") }.sorted { $0.isOlder(than: $1) }
  }

  /// What is enabled that starts a daemon, ours or open-iscsi's.
  private var daemonUnits: [String]? {
    let folders = ["etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"]
    var found: [String]?
    for folder in folders {
      guard let units = try? SysfsDirectory(path: place(folder)) else { continue }
      let wanted = ((try? units.names()) ?? []).filter { $0.hasSuffix(".wants") }.sorted()
      found =
        (found ?? [])
        + wanted.flatMap { wants in
          ["iscsi-admin.service", "iscsid.service"].map { "\(wants)/\($0)" }
        }.filter { units.linkTarget($0) != nil || units.exists($0) }.map { "/\(folder)/\($0)" }
    }
    return found
  }

  private func modules(of kernel: String) -> KernelModules? {
    guard !kernel.isEmpty, !kernel.contains("/"),
      let dependencies = text("lib/modules/\(kernel)/modules.dep", limit: 1 << 22)
    else { return nil }
    func list(_ name: String) -> String { text("lib/modules/\(kernel)/\(name)", limit: 1 << 23) ?? "" }
    return KernelModules(
      dependencies: dependencies, builtIn: list("modules.builtin"), aliases: list("modules.alias"),
      information: list("modules.builtin.modinfo"))
  }

  private func readImage(of kernel: String) throws(InitramfsImageError) -> InitramfsImage {
    let deadline = ContinuousClock.now + .seconds(120)
    if let image { return try InitramfsImage(reading: belowRoot(image), until: deadline) }
    guard !kernel.isEmpty, !kernel.contains("/") else { throw .notFound(kernel: kernel) }
    let package = text("lib/modules/\(kernel)/pkgbase").map { String($0.prefix { !$0.isWhitespace }) }
    let machine = text("etc/machine-id").map { String($0.prefix { !$0.isWhitespace }) }
    for path in InitramfsImage.candidates(kernel: kernel, package: package, machine: machine) {
      do throws(InitramfsImageError) { return try InitramfsImage(reading: place(path.string), until: deadline) } catch {
        if case .unreadable(_, .noSuchFileOrDirectory) = error { continue }
        throw error
      }
    }
    if let unified = unifiedImage(of: kernel) { throw .enclosed(unified, "a unified kernel image") }
    throw .notFound(kernel: kernel)
  }

  /// What a boot loader starts with its image in itself: that with the kernel's version in its name, or else the first.
  private func unifiedImage(of kernel: String) -> FilePath? {
    let all = InitramfsImage.unifiedFolders.flatMap { folder in
      ((try? SysfsDirectory(path: place(folder.string)).names()) ?? []).filter { $0.hasSuffix(".efi") }.sorted()
        .map { place(folder.string).appending($0) }
    }
    return all.first { $0.lastComponent?.string.contains(kernel) ?? false } ?? all.first
  }

  /// What a boot with an image would do, if the kernel's command line stays as it is.
  private func plan(of image: InitramfsImage) -> BootPlan {
    func files(in folder: String) -> [(name: String, text: String)] {
      image.texts.filter { $0.key.hasPrefix(folder) }.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
    let carried =
      (files(in: "etc/cmdline.d/") + [image.texts["etc/cmdline"].map { ("etc/cmdline", $0) }].compactMap(\.self))
      .map { (place: "in /\($0.name) of the image", text: $0.text) }
    let typed =
      sources.commandLine.map { (place: BootSources.argumentPlace, text: $0) }
      ?? (place: BootSources.kernelPlace, text: text("proc/cmdline") ?? "")
    var settings =
      image.file(of: BootSources.settingsFiles).map { file in
        BootParameters(ShellAssignments(file.text), of: "\(file.path) of the image")
      } ?? BootParameters()
    settings.takeConfiguration(
      ([image.texts["conf/initramfs.conf"].map { ("conf/initramfs.conf", $0) }].compactMap(\.self)
        + files(in: "conf/conf.d/")).map { ("/\($0.0) of the image", $0.1) })
    var input = BootPlan.Input(parameters: BootSources.parameters(typed: [typed], carried: carried).over(settings))
    let name = image.file(of: BootSources.nameFiles).flatMap { InitiatorNameFile.value(in: $0.text) }
    input.machineName = name.flatMap { try? InitiatorName($0) }
    let firmware = sources.firmwareReader(for: input, sysfs: Sysfs(root: machineSysfs.root))
    input.firmware = (try? firmware.boots()) ?? []
    input.isFirmwareVisible = sources.root == "/"
    return BootPlan(input)
  }

  // MARK: - The running system

  func lookAtRoot(_ evidence: inout BootEvidence, sessions known: [SessionSnapshot]? = nil) {
    let mounts = text("proc/self/mounts", limit: 1 << 20) ?? text("proc/mounts", limit: 1 << 20) ?? ""
    for line in mounts.split(separator: "\n") {
      let fields = line.split(separator: " ")
      // What is mounted last is on top.
      if fields.count > 2, fields[1] == "/" { evidence.rootFileSystem = String(fields[2]) }
    }
    guard let users = try? DeviceUsers(proc: place("proc"), sysfs: place("sys")),
      let sessions = known ?? (try? sources.sysfs.sessions())
    else {
      evidence.rootFileSystem = nil
      return
    }
    evidence.session = sessions.first { session in
      (try? users.uses(of: session))?.contains { $0.kind == .mounted(at: "/") } ?? false
    }
    // That of another disk says nothing of a boot from iSCSI.
    guard let session = evidence.session else {
      evidence.rootFileSystem = nil
      return
    }
    let uses = (try? users.uses(of: session)) ?? []
    let layers = uses.filter { $0.kind == .mounted(at: "/") }.flatMap { $0.steps.map(\.name) }
    evidence.layerModules = Set(layers.flatMap(modules(ofBlockDevice:))).sorted()
  }

  /// The modules that drive a block device which is made of others, such as a logical volume; none for a partition.
  private func modules(ofBlockDevice name: String) -> [String] {
    let folder = "sys/class/block/\(name)"
    if let kind = text("\(folder)/dm/uuid") {
      let known = ["CRYPT-": "dm_crypt", "mpath-": "dm_multipath"]
      return ["dm_mod"] + known.filter { kind.hasPrefix($0.key) }.map(\.value)
    }
    guard let level = text("\(folder)/md/level").map({ String($0.prefix { !$0.isWhitespace }) }) else { return [] }
    return ["md_mod", ["raid4", "raid5", "raid6"].contains(level) ? "raid456" : KernelModules.normal(level)]
  }

  // MARK: - Files

  /// A path that somebody gives: below the root, where it may be given with that or without.
  private func belowRoot(_ path: FilePath) -> FilePath {
    sources.root == "/" || path.starts(with: sources.root) ? path : place(path.string)
  }

  func place(_ path: String) -> FilePath { sources.root.appending(FilePath(path).removingRoot().components) }

  func isThere(_ path: String) -> Bool { (try? FileDescriptor.open(place(path), .readOnly).close()) != nil }

  func text(_ path: String, limit: Int = 1 << 16) -> String? {
    guard let contents = try? FileContents(of: place(path), limit: limit) else { return nil }
    return String(decoding: contents.octets, as: UTF8.self)
  }
}

extension String {
  /// Whether a version is older than another: runs of digits are compared as numbers.
  func isOlder(than other: String) -> Bool {
    var (mine, others) = (self[...], other[...])
    while let first = mine.first, let second = others.first {
      let areDigits = first.isASCIIDigit && second.isASCIIDigit
      let (left, right) =
        areDigits
        ? (mine.prefix(while: \.isASCIIDigit), others.prefix(while: \.isASCIIDigit))
        : (mine.prefix(1), others.prefix(1))
      let (plainLeft, plainRight) = (left.drop { $0 == "0" }, right.drop { $0 == "0" })
      if areDigits, plainLeft.count != plainRight.count { return plainLeft.count < plainRight.count }
      if areDigits ? plainLeft != plainRight : left != right {
        return areDigits ? plainLeft < plainRight : left < right
      }
      mine = mine.dropFirst(left.count)
      others = others.dropFirst(right.count)
    }
    return mine.isEmpty && !others.isEmpty
  }
}

extension Character {
  fileprivate var isASCIIDigit: Bool { ("0"..."9").contains(self) }
}
