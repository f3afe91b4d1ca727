// SPDX-License-Identifier: Apache-2.0
internal import Glibc
public import SystemPackage

/// Why an initramfs image could not be read.
public enum InitramfsImageError: DiagnosableError, Hashable {
  /// There is no image for this kernel in the places where they are.
  case notFound(kernel: String)
  /// The file cannot be read.
  case unreadable(FilePath, Errno)
  /// It is compressed, and the program that could read it is not there.
  case noProgram(FilePath, String)
  /// It is nothing that could be read.
  case malformed(FilePath)
  /// It ends in the middle of a file, or has no end.
  case cutOff(FilePath)
  /// It is, or is a part of, an image of which the files cannot be seen from here: what is around them.
  case enclosed(FilePath, String)

  /// The reason in words.
  public var description: String {
    switch self {
    case .notFound(""): "there is no initramfs image in /boot that could be looked for, as no kernel is known"
    case .notFound(let kernel): "there is no initramfs image for kernel \(kernel) in /boot"
    case .unreadable(let path, let errno): "\(path) cannot be read: \(errno)"
    case .noProgram(let path, let name): "\(path) is compressed, and there is no program \(name) to read it"
    case .malformed(let path): "\(path) is no initramfs image that could be read"
    case .cutOff(let path): "the image is cut off: \(path) ends before its files do"
    case .enclosed(let path, let place): "\(path) is not looked into: its files are in \(place)"
    }
  }
  /// 21, 13 or 1.
  public var exitStatus: ExitStatus {
    switch self {
    case .notFound: .noObjectsFound
    case .unreadable(_, .permissionDenied): .access
    case .unreadable, .noProgram, .malformed, .cutOff, .enclosed: .failure
    }
  }
  /// What to do about it.
  public var advice: String? {
    switch self {
    case .notFound: "name the image with --image, or its kernel with --kernel"
    case .unreadable(_, .permissionDenied): "run as root"
    case .cutOff(let path): "make room where it is (df \(path.removingLastComponent())), and make it anew"
    case .enclosed: "make one without that for the check, and name it with --image"
    case .noProgram, .unreadable, .malformed: nil
    }
  }
}

/// An initramfs image: what files are in it, and the text of those that a boot from iSCSI goes by.
public struct InitramfsImage: Hashable, Sendable {
  /// What has made an image.
  public enum Generator: String, Hashable, Sendable {
    /// Debian's initramfs-tools.
    case initramfsTools = "initramfs-tools"
    /// dracut.
    case dracut
    /// Arch Linux' mkinitcpio.
    case mkinitcpio

    /// The command that makes images anew.
    public var command: String {
      switch self {
      case .initramfsTools: "update-initramfs -u"
      case .dracut: "dracut --force"
      case .mkinitcpio: "mkinitcpio -P"
      }
    }

    /// The command that makes the image of a kernel anew.
    func command(for kernel: String) -> String {
      switch self {
      case .initramfsTools: "update-initramfs -u -k \(kernel)"
      case .dracut: "dracut --force --kver \(kernel)"
      case .mkinitcpio: command
      }
    }
  }

  /// Why a file in an image cannot be run.
  public enum ProgramFault: Hashable, Sendable, CustomStringConvertible {
    /// There is nothing in it.
    case empty
    /// Nobody may.
    case notExecutable
    /// It is a folder or a device.
    case notRegular

    /// The reason in words.
    public var description: String {
      switch self {
      case .empty: "it is empty"
      case .notExecutable: "its mode does not let anybody execute it"
      case .notRegular: "it is no regular file"
      }
    }
  }

  /// Where it is.
  public var path: FilePath
  /// The names of its files, without a slash before them.
  public var names: Set<String>
  /// The texts of configuration files in it, by name.
  public var texts: [String: String] = [:]
  /// What keeps files in it from being run, by their names; of most files nobody wants that.
  public var faults: [String: ProgramFault] = [:]
  /// Whether others than the owner and the group may read it.
  public var isReadableByOthers = false

  /// An image of which the contents are known.
  public init(path: FilePath, names: Set<String>, texts: [String: String] = [:]) {
    self.path = path
    self.names = names
    self.texts = texts
  }

  /// What has made it; nil if that does not show.
  public var generator: Generator? {
    if names.contains("conf/initramfs.conf") || names.contains("scripts/functions") { return .initramfsTools }
    if names.contains(where: { $0.hasPrefix("usr/lib/dracut/") || $0.hasPrefix("lib/dracut/") }) { return .dracut }
    return names.contains("init_functions") || names.contains("buildconfig") ? .mkinitcpio : nil
  }

  /// The first of some files that it has the text of; their paths are those at the boot.
  func file(of paths: [FilePath]) -> (path: FilePath, text: String)? {
    paths.lazy.compactMap { path in self.texts[path.removingRoot().string].map { (path, $0) } }.first
  }

  /// The folders that kernels' modules are in, each in one of the kernel's name.
  private static let modulesFolders = ["usr/lib/modules/", "lib/modules/"]

  /// The modules in it that are a kernel's, by their names. The kernel takes those of no other one.
  public func modules(of kernel: String) -> Set<String> {
    let folders = Self.modulesFolders.map { "\($0)\(kernel)/" }
    return Set(
      names.filter { name in folders.contains { name.hasPrefix($0) } }.compactMap(KernelModules.name(ofFile:)))
  }

  /// The kernels that it has modules of, from the oldest.
  public var kernels: [String] {
    let all = names.compactMap { name -> String? in
      guard let folder = Self.modulesFolders.first(where: name.hasPrefix), KernelModules.name(ofFile: name) != nil
      else { return nil }
      let rest = name.dropFirst(folder.count)
      return rest.firstIndex(of: "/").map { String(rest[..<$0]) }
    }
    return Set(all).sorted { $0.isOlder(than: $1) }
  }

  /// Whether programs find a kernel's modules in it: `modprobe` goes by the list that `depmod` makes.
  public func listsModules(of kernel: String) -> Bool {
    Self.modulesFolders.contains { folder in
      ["modules.dep", "modules.dep.bin"].contains { names.contains("\(folder)\(kernel)/\($0)") }
    }
  }

  /// Whether it has a udev, which gives network cards other names than the kernel.
  var hasUdev: Bool {
    names.contains { name in
      ["systemd-udevd", "udevd", "udevadm"].contains { name == $0 || name.hasSuffix("/\($0)") }
    }
  }

  /// Whether a program is in it that can be run, in whatever folder programs are.
  public func hasProgram(_ name: String) -> Bool { program(name).map { $0.fault == nil } ?? false }

  /// A program in it, and why that cannot be run: the first that can be, or else the first.
  func program(_ name: String) -> (path: String, fault: ProgramFault?)? {
    let all = ["usr/bin", "usr/sbin", "bin", "sbin", "usr/local/bin", "usr/local/sbin"].map { "\($0)/\(name)" }
      .filter(names.contains)
    return (all.first { faults[$0] == nil } ?? all.first).map { ($0, faults[$0]) }
  }

  /// Where an image for a kernel may be (Debian; Fedora; Arch Linux by its package's name, and kernel-install's).
  static func candidates(kernel: String, package: String?, machine: String?) -> [FilePath] {
    let plain = ["initrd.img-\(kernel)", "initramfs-\(kernel).img", "initrd-\(kernel)"]
    let arch = package.map { ["initramfs-\($0).img"] } ?? []
    let installed = machine.map { ["\($0)/\(kernel)/initrd"] } ?? []
    return (plain + arch + installed).map { FilePath("/boot/\($0)") }
      + installed.flatMap { [FilePath("/efi/\($0)"), FilePath("/boot/efi/\($0)")] }
  }

  /// The folders that boot loaders take kernels from which have their image in themselves.
  static let unifiedFolders: [FilePath] = ["/efi/EFI/Linux", "/boot/EFI/Linux", "/boot/efi/EFI/Linux"]

  /// Whether the text of a file is worth keeping.
  @Sendable private static func isWanted(_ name: String) -> Bool {
    (BootSources.nameFiles + BootSources.settingsFiles + [InitiatorConfiguration.standardPath])
      .contains(FilePath("/\(name)")) || name == "etc/cmdline" || name == "hooks/iscsi"
      || name.hasPrefix("etc/cmdline.d/") && name.hasSuffix(".conf")
      || name == "conf/initramfs.conf" || name.hasPrefix("conf/conf.d/")
  }

  /// The file systems that dracut packs an image's files into (its modules `squash`), as they are called in it.
  private static let packedFiles = ["squashfs-root.img", "erofs-root.img", "squash-root.img", "squash/root.img"]

  /// Reads an image, blocking: archives as they are, and what is compressed by the program for it.
  ///
  /// - Parameters:
  ///   - path: Where it is.
  ///   - deadline: When to give up.
  /// - Throws: Why it cannot be read.
  public init(reading path: FilePath, until deadline: ContinuousClock.Instant) throws(InitramfsImageError) {
    let file: FileDescriptor
    do { file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec) } catch {
      throw .unreadable(path, error as? Errno ?? .ioError)
    }
    defer { try? file.close() }
    var plain = CPIOReader(wants: Self.isWanted)
    do throws(Errno) {
      while true {
        guard .now < deadline else { throw .timedOut }
        let piece = try FileContents.octets(of: file, limit: 1 << 16)
        if piece.isEmpty || !plain.feed(piece[...]) { break }
      }
    } catch {
      throw .unreadable(path, error)
    }
    self.init(path: path, names: plain.names, texts: plain.texts)
    faults = plain.faults
    isReadableByOthers = (try? FileContents.isReadableByOthers(file)) ?? false
    guard let magic = plain.foreign else {
      if names.isEmpty { throw .malformed(path) }
      if plain.isCutOff { throw .cutOff(path) }
      try refuseEnclosed()
      return
    }
    if magic.starts(with: Array("MZ".utf8)) { throw .enclosed(path, "a unified kernel image") }
    guard let program = Self.programs.first(where: { magic.starts(with: $0.magic) })?.name else {
      throw .malformed(path)
    }
    guard let found = DHCPClient.folders.map({ "\($0)/\(program)" }).first(where: Program.isThere) else {
      throw .noProgram(path, program)
    }
    try unpack(file, from: plain.length, by: found, until: deadline)
    try refuseEnclosed()
  }

  private func refuseEnclosed() throws(InitramfsImageError) {
    if let packed = Self.packedFiles.first(where: names.contains) { throw .enclosed(path, packed) }
  }

  /// Adds what is in the compressed rest of a file.
  private mutating func unpack(
    _ file: FileDescriptor, from offset: Int, by program: String, until deadline: ContinuousClock.Instant
  ) throws(InitramfsImageError) {
    do { _ = try file.seek(offset: Int64(offset), from: .start) } catch {
      throw .unreadable(path, error as? Errno ?? .ioError)
    }
    var reader = CPIOReader(wants: Self.isWanted)
    var process = Program([program, "-dc"])
    process.input = file
    process.keepsErrors = false
    let status: Int32
    do throws(ProgramError) { status = try process.run(until: deadline) { !reader.feed($0) } } catch {
      throw error == .timedOut ? .unreadable(path, .timedOut) : .malformed(path)
    }
    // What stands behind it is no fault, but the program complains of that too.
    if !reader.names.isEmpty, reader.isCutOff { throw .cutOff(path) }
    if reader.names.isEmpty || (status != 0 && !reader.isWhole) { throw .malformed(path) }
    names.formUnion(reader.names)
    for name in reader.names { faults[name] = reader.faults[name] }
    texts.merge(reader.texts) { $1 }
  }

  /// The programs that unpack, by what their files begin with.
  private static let programs: [(magic: [UInt8], name: String)] = [
    ([0x1F, 0x8B], "gzip"), ([0x28, 0xB5, 0x2F, 0xFD], "zstd"), ([0xFD, 0x37, 0x7A, 0x58, 0x5A], "xz"),
    ([0x02, 0x21, 0x4C, 0x18], "lz4"), ([0x04, 0x22, 0x4D, 0x18], "lz4"), ([0x42, 0x5A, 0x68], "bzip2"),
    ([0x5D, 0x00, 0x00], "lzma"), ([0x89, 0x4C, 0x5A, 0x4F], "lzop"),
  ]
}
