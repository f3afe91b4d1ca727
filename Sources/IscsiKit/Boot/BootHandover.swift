// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// What a boot leaves in `/run`, which outlives the initramfs, so that what manages the network of the system leaves the devices alone
/// over which the root file system is reached: they keep their addresses from the first login to the end of the shutdown.
///
/// None of this names an iSCSI session: the daemon finds those in the kernel.
public struct BootHandover: Sendable {
  /// What ifupdown finds as the state of a device that is none of its own: it neither switches it on nor off.
  static let ifupdownState = "iscsi-admin-boot"

  private let root: FilePath
  private let devices: NetworkDevices

  /// Notes below `/run`; another root is for tests.
  public init(root: FilePath = "/") {
    self.root = root
    devices = NetworkDevices(sysfs: root.appending("sys"))
  }

  /// Notes that a DHCP server has given an address to this boot, which keeps it: images that are made by the system ask for it again.
  static func noteLease(of address: IPAddress, for device: String, below root: FilePath = "/") {
    let folder = root.appending("run/iscsi-admin")
    // Without it only a later image is worse.
    try? AtomicFile.makeDirectory(folder)
    try? AtomicFile.write(Array("\(address)\n".utf8), to: folder.appending("lease-\(device)"))
  }

  /// A file of another program.
  private struct Note {
    let path: String
    let text: String
  }

  /// Leaves what systemd-networkd, NetworkManager and ifupdown honour, for devices and what they are made of. A note that is there
  /// already is made anew.
  ///
  /// - Parameters:
  ///   - names: The devices.
  ///   - nameServers: Who knows names, for the one of them that tells the system.
  /// - Throws: What a file system says. Other notes are made all the same.
  public func leave(for names: [String], nameServers: [IPAddress] = []) throws(Errno) {
    var failure: Errno?
    var done: Set<String> = []
    for name in names.flatMap(devices.parts(of:)) where done.insert(name).inserted {
      for note in notes(for: name, isPart: !names.contains(name), nameServers: nameServers) {
        do throws(Errno) { try write(note) } catch { failure = failure ?? error }
      }
    }
    if let failure { throw failure }
  }

  private func write(_ note: Note) throws(Errno) {
    let path = root.appending(FilePath(note.path).components)
    // Their readers have other users than root.
    let readable: FilePermissions = [.ownerReadWrite, .groupRead, .otherRead]
    try AtomicFile.makeDirectory(
      path.removingLastComponent(), permissions: [readable, .ownerExecute, .groupExecute, .otherExecute])
    try AtomicFile.write(Array(note.text.utf8), to: path, permissions: readable)
  }

  private func notes(for name: String, isPart: Bool, nameServers: [IPAddress]) -> [Note] {
    let reason = "# The root file system is on iSCSI, and reached over \(name): written by iscsi-admin at the boot.\n"
    let address = devices.addressOfHardware(name)
    // A card may get another name; what is made on it has its address, but is of another type.
    let match = address.map { "MACAddress=\($0)\nType=ether\n" } ?? "Name=\(name)\n"
    let servers = nameServers.map { "DNS=\($0)\n" }.joined()
    // What others are made of keeps what they are made by, such as a bond, only if nobody manages it at all.
    let settings = isPart ? "[Link]\nUnmanaged=yes\n" : "[Network]\nKeepConfiguration=yes\n\(servers)"
    let networkd = reason + "[Match]\n\(match)\n\(settings)"
    let specification = (address.map { ["mac:\($0)"] } ?? []) + ["interface-name:\(name)"]
    let networkManager = reason + "[keyfile]\nunmanaged-devices+=\(specification.joined(separator: ";"))\n"
    return [
      Note(path: "run/systemd/network/05-iscsi-admin-\(name).network", text: networkd),
      Note(path: "run/NetworkManager/conf.d/05-iscsi-admin-\(name).conf", text: networkManager),
      Note(path: "run/network/ifstate.\(name)", text: Self.ifupdownState + "\n"),
      // udev starts this unit for `allow-hotplug`. Of a device that is up and none of ifupdown's own it says that it has
      // failed, so it is left out as long as there is the state: ifdown leaves an empty file. By a folder `system` beside
      // this one programs know that systemd runs, which is not for us to say (`sd_booted(3)`).
      Note(
        path: "run/systemd/system.control/ifup@\(name.escapedForUnits).service.d/05-iscsi-admin.conf",
        text: reason + "[Unit]\nConditionFileNotEmpty=!/run/network/ifstate.%I\n"),
    ]
  }
}

extension String {
  /// A text as part of the name of a unit (`systemd-escape(1)`).
  var escapedForUnits: String {
    utf8.enumerated().map { place, octet in
      let character = Character(Unicode.Scalar(octet))
      if character == "/" { return "-" }
      let isPlain = character.isASCII && (character.isLetter || character.isNumber || "_:".contains(character))
      if isPlain || (character == "." && place > 0) { return String(character) }
      let digits = String(octet, radix: 16)
      return "\\x" + (digits.count < 2 ? "0" : "") + digits
    }.joined()
  }
}
