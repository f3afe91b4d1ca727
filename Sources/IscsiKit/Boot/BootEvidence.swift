// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// What is known of a machine that is to boot from iSCSI, and of its image.
///
/// What is not known is nil or empty, and no rule guesses it.
public struct BootEvidence: Sendable {
  /// The kernel that is to be booted: `6.12.1-amd64`.
  public var kernel: String
  /// Newer kernels that are installed.
  public var newerKernels: [String] = []
  /// Whether somebody has said which kernel is to be booted.
  public var isKernelNamed = false
  /// Where the modules of kernels are looked for.
  public var modulesFolder: FilePath = "/lib/modules"
  /// Its modules; nil if `/lib/modules` has none for it.
  public var modules: KernelModules?
  /// The image.
  public var image: InitramfsImage?
  /// Why there is none.
  public var imageFailure: InitramfsImageError?
  /// What a boot with this image would do; nil without an image.
  public var plan: BootPlan?
  /// The machine's name as an initiator.
  public var machineName: InitiatorName?
  /// The session with the root file system; nil if that is not on iSCSI now.
  public var session: SessionSnapshot?
  /// The kind of the root file system: `ext4`.
  public var rootFileSystem: String?
  /// The modules that drive what is between the disk and that file system, such as LVM.
  public var layerModules: [String] = []
  /// The network device on the way to the target of that session, or else of what the image logs in to; and those below it.
  public var networkDevices: [String] = []
  /// What a boot is told to use of the network, and what the machine has of that.
  public var cards: [Card] = []
  /// The network cards of the machine, with their MAC addresses, in words.
  public var machineCards: [String] = []
  /// Whether the command line that counts leaves cards the names that the kernel gives them: `net.ifnames=0`.
  public var keepsKernelNames = false
  /// Whether those are the cards of the machine that runs this, and the system is another one, perhaps for another machine.
  public var isForeign = false
  /// The modules of the kernel, in files or built in, that drive the cards that a boot uses.
  public var drivers: [String] = []
  /// The modules that drive the buses that they are on.
  public var busDrivers: [String] = []
  /// The cards of which it is not known what drives them in that kernel, in words.
  public var unknownCards: [String] = []
  /// The files that hooks copy into images, as far as the machine has them.
  public var files: [CopiedFile] = []
  /// The secrets that everybody on the machine can read.
  public var exposedSecrets: [ExposedSecret] = []
  /// The units that start a daemon for the sessions at the boot; nil where no systemd is.
  public var daemonUnits: [String]?
  /// What manages the network, and DHCP clients that run, as far as they are about the way to the target.
  public var managers: [NetworkManager] = []

  /// Evidence about a kernel.
  public init(kernel: String) { self.kernel = kernel }

  /// A network device that a boot is told to use.
  public struct Card: Hashable, Sendable {
    /// What it is told.
    public var wanted: BootDevice
    /// The name by which it is told of; nil if there is none.
    public var name: String?
    /// Where that was read, in words.
    public var origin: String
    /// The device that is meant, by its name now; nil if the machine has none like that.
    public var device: String?
    /// Whether dracut is to make it at the boot.
    public var isMadeByDracut = false
  }

  /// A file of the machine that hooks copy.
  public struct CopiedFile: Hashable, Sendable {
    /// Where it is on the machine.
    public var path: String
    /// Whether the image has a copy.
    public var isInImage: Bool
    /// The variables or settings that are others in the copy, by their names; an empty name for what has none.
    public var differences: [String]
  }

  /// Where a secret can be read by everybody.
  public enum ExposedSecret: Hashable, Sendable {
    /// In a file of the machine.
    case file(String)
    /// In the image.
    case image(FilePath)
    /// In these parameters on the kernel's command line.
    case commandLine([String])
  }

  /// Something that may take the network away at the shutdown.
  public enum NetworkManager: Hashable, Sendable {
    /// systemd-networkd, and whether it keeps what the device has.
    case networkd(keeps: Bool)
    /// NetworkManager, which leaves a device as it is when it ends.
    case networkManager
    /// Debian's ifupdown, and whether it would switch the device off.
    case ifupdown(switchesOff: Bool)
    /// A DHCP client, which is killed and takes the address with it, or not.
    case client(String)
  }

  /// A module that the image has to have, and what for.
  struct Need: Hashable {
    let module: String
    let reason: String
    /// Whether the kernel may do without it.
    var isOptional = false
  }

  /// The modules that a boot needs.
  var needs: [Need] {
    var needs = [
      Need(module: "iscsi_tcp", reason: "the initiator"), Need(module: "libiscsi", reason: "the initiator"),
      Need(module: "scsi_transport_iscsi", reason: "the initiator"), Need(module: "sd_mod", reason: "SCSI disks"),
      // Newer kernels have it by another name.
      Need(module: "crc32c", reason: "digests", isOptional: true),
      Need(module: "iscsi_ibft", reason: "boot firmware", isOptional: !usesFirmware),
    ]
    for driver in drivers { needs.append(Need(module: KernelModules.normal(driver), reason: "the network card")) }
    // Some of them are no modules at all, but a part of the kernel that has a module's name.
    for driver in busDrivers.map(KernelModules.normal) where modules.map({ $0.place(of: driver) != .missing }) ?? false
    {
      needs.append(Need(module: driver, reason: "the bus of the network card"))
    }
    if plan?.links.contains(where: { $0.vlan != nil }) ?? false {
      needs.append(Need(module: "8021q", reason: "the VLAN"))
    }
    if let rootFileSystem { needs.append(Need(module: driver(of: rootFileSystem), reason: "the root file system")) }
    for module in layerModules where modules.map({ $0.place(of: module) != .missing }) ?? false {
      needs.append(Need(module: module, reason: "what the root file system is on"))
    }
    return needs
  }

  /// The module for a kind of file system. Kernels of today have one for ext2, ext3 and ext4.
  private func driver(of kind: String) -> String {
    let isOld = ["ext2", "ext3"].contains(kind)
    return isOld && modules.map { $0.place(of: kind) == .missing } ?? false ? "ext4" : kind
  }

  /// Whether the plan goes by boot firmware.
  private var usesFirmware: Bool {
    plan?.logins.contains { FirmwareBoot.Source(field: $0.source) != nil } ?? false
  }
}

/// What a check of a boot has found.
public struct BootFinding: Hashable, Sendable {
  /// Whether a boot will work, as far as this goes.
  public enum Verdict: String, Hashable, Sendable, CaseIterable {
    /// It does not.
    case problem
    /// It may not, or not for long.
    case warning
    /// It does.
    case ok
  }

  /// The name of the rule, for scripts: `image-modules`. Never changes.
  public var rule: String
  /// Whether it is well.
  public var verdict: Verdict
  /// What was found, in a sentence without a full stop.
  public var what: String
  /// What that is known by.
  public var evidence: [String] = []
  /// What mends it.
  public var remedy: Finding.Remedy?
}

/// Something that a boot from iSCSI needs, and how that is checked: a value without state or I/O.
public struct BootRule: Sendable {
  /// Its name, for scripts.
  public let name: String
  private let test: @Sendable (BootEvidence) -> [Match]

  struct Match {
    var verdict: BootFinding.Verdict
    var what: String
    var evidence: [String] = []
    var remedy: Finding.Remedy?

    init(
      _ verdict: BootFinding.Verdict, _ what: String, evidence: [String] = [], remedy: Finding.Remedy? = nil
    ) {
      self.verdict = verdict
      self.what = what
      self.evidence = evidence
      self.remedy = remedy
    }
  }

  init(_ name: String, test: @escaping @Sendable (BootEvidence) -> [Match]) {
    self.name = name
    self.test = test
  }

  /// What it finds; nothing if it does not apply.
  public func findings(in evidence: BootEvidence) -> [BootFinding] {
    test(evidence).map { match in
      BootFinding(
        rule: name, verdict: match.verdict, what: match.what, evidence: match.evidence, remedy: match.remedy)
    }
  }

  /// All rules, in the order of a boot.
  public static let all: [BootRule] = [
    root, newerKernel, kernelModules, image, imageProgram, imageHook, networkCard, imageModules, imageClient,
    imageFiles, initiatorName, parameters, network, secrets, timers, daemon, shutdown,
  ]
}

extension BootEvidence {
  /// What all rules find, in the order of a boot.
  public var findings: [BootFinding] { BootRule.all.flatMap { $0.findings(in: self) } }
}
