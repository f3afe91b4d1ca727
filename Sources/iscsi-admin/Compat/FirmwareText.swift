// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// What boot firmware names, as `iscsistart -f` and `iscsiadm -m fw` print it. Scripts of initramfs images read it.
enum FirmwareText {
  /// All entries, a record each.
  static func records(_ entries: [FirmwareEntry]) -> String { entries.map(record).joined() }

  /// The lines from `# BEGIN RECORD` to `# END RECORD`; what the firmware does not tell has none. The secrets are among
  /// them, which only root can read.
  static func record(_ entry: FirmwareEntry) -> String {
    let (ethernet, target) = (entry.ethernet, entry.target)
    let fields: [(String, String?)] = [
      ("iface.initiatorname", entry.initiator?.name?.description),
      ("iface.isid", entry.initiator?.isid),
      ("iface.transport_name", entry.transport),
      ("iface.hwaddress", ethernet.hardwareAddress?.description),
      ("iface.bootproto", ethernet.usesDHCP ? "DHCP" : "STATIC"),
      ("iface.ipaddress", ethernet.address?.description),
      ("iface.prefix_len", ethernet.prefixLength.map { "\($0)" }),
      ("iface.subnet_mask", ethernet.subnetMask?.description),
      ("iface.gateway", ethernet.gateway?.description),
      ("iface.primary_dns", ethernet.primaryDNS?.description),
      ("iface.secondary_dns", ethernet.secondaryDNS?.description),
      ("iface.vlan_id", ethernet.vlan.map { "\($0)" }),
      ("iface.net_ifacename", ethernet.device),
      ("node.name", target.name.description),
      ("node.conn[0].address", target.address.description),
      ("node.conn[0].port", "\(target.port)"),
      ("node.session.auth.username", target.chapName),
      ("node.session.auth.password", target.chapSecret?.text),
      ("node.session.auth.username_in", target.reverseCHAPName),
      ("node.session.auth.password_in", target.reverseCHAPSecret?.text),
      ("node.boot_lun", target.lun?.description),
    ]
    let lines = fields.compactMap { name, value in value.map { "\(name) = \($0.printable)\n" } }
    return "# BEGIN RECORD \(openISCSIVersion)\n\(lines.joined())# END RECORD\n"
  }
}

extension Secret {
  /// The text of the secret.
  fileprivate var text: String { String(decoding: octets, as: UTF8.self) }
}

/// The targets of boot firmware that can be used.
struct FirmwareTargets {
  /// The targets, in the order of the firmware.
  let entries: [FirmwareEntry]
  /// What is wrong with others.
  let problems: [FirmwareError]
  /// Why there are none: 21 without targets, 22 where the kernel has no `/sys/firmware`.
  let absence: ExitStatus

  /// Reads them. On the machine itself the kernel is made to look for a table first.
  init(of sysfs: Sysfs) {
    let reader = FirmwareReader(sysfs: sysfs)
    if sysfs.root == Sysfs().root { reader.loadModule() }
    var entries: [FirmwareEntry] = []
    var problems: [FirmwareError] = []
    do throws(FirmwareError) {
      for boot in try reader.boots() {
        let found = boot.entries()
        entries += found.found
        problems += boot.problems + found.problems
      }
    } catch {
      problems.append(error)
    }
    self.entries = entries
    self.problems = problems
    absence = reader.isSupported ? .noObjectsFound : .sysfsLookup
  }
}
