// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

extension SysfsTree {
  /// Adds boot firmware as the kernel shows it: a card with the MAC address of `san0`, a target without CHAP that was
  /// booted with, and one with it.
  ///
  /// - Parameter folder: Below `firmware`.
  /// - Throws: What the system says.
  public func addFirmware(_ folder: String = "ibft") throws(Errno) {
    let target: KeyValuePairs = ["ip-addr": "10.0.0.1", "lun": "01000000", "nic-assoc": "0", "port": "3260"]
    let entries: KeyValuePairs<String, KeyValuePairs<String, String>> = [
      "acpi_header": ["signature": "iBFT", "oem_id": "ISCADM", "oem_table_id": "TESTBOOT"],
      "initiator": ["index": "0", "flags": "3", "initiator-name": "iqn.2026-11.org.example:boot"],
      "ethernet0": [
        "index": "0", "flags": "3", "ip-addr": "10.0.0.2", "subnet-mask": "255.255.255.0", "prefix-len": "24",
        "origin": "1", "gateway": "10.0.0.1", "primary-dns": "10.0.0.53", "vlan": "0", "mac": "52:54:00:12:34:56",
        "hostname": "booted",
      ],
      "target0": ["index": "0", "flags": "3", "chap-type": "0", "target-name": "iqn.2026-11.org.example:disk"],
      "target1": [
        "index": "1", "flags": "1", "chap-type": "1", "target-name": "iqn.2026-11.org.example:disk-chap",
        "chap-name": "alice", "chap-secret": "wonderland12",
      ],
    ]
    for (entry, fields) in entries {
      try makeDirectory("firmware/\(folder)/\(entry)")
      for (name, value) in fields { try set("firmware/\(folder)/\(entry)/\(name)", to: .text(value)) }
      guard entry.hasPrefix("target") else { continue }
      for (name, value) in target { try set("firmware/\(folder)/\(entry)/\(name)", to: .text(value)) }
    }
    try addNetworkDevice("san0", "52:54:00:12:34:56")
  }

  /// Adds a network device with its MAC address.
  public func addNetworkDevice(_ name: String, _ address: String) throws(Errno) {
    try makeDirectory("class/net/\(name)")
    try set("class/net/\(name)/address", to: .text(address))
  }
}
