// SPDX-License-Identifier: Apache-2.0
internal import SystemPackage

/// What a DHCP server has given a device.
public struct DHCPAnswer: Hashable, Sendable {
  /// The address.
  public var address: IPAddress
  /// How much of it is the network's.
  public var prefixLength: UInt8
  /// The routers, the best first.
  public var routers: [IPAddress] = []
  /// Who knows names.
  public var nameServers: [IPAddress] = []
  /// The MTU in octets.
  public var mtu: UInt32?
  /// Where the root file system is, in the words of the server (RFC 4173 for iSCSI).
  public var rootPath: String?

  /// An answer with an address.
  public init(address: IPAddress, prefixLength: UInt8) {
    self.address = address
    self.prefixLength = prefixLength
  }

  /// The variables in which the clients tell of an answer: udhcpc to its script, dhclient to its own, and klibc's ipconfig and
  /// systemd-networkd in a file.
  enum Variable: CaseIterable {
    case address, netmask, routers, nameServers, mtu, rootPath

    /// Its names with these clients. A client knows one of them.
    var names: [String] {
      switch self {
      case .address: ["ip", "new_ip_address", "IPV4ADDR", "ipv6", "new_ip6_address", "ADDRESS"]
      // A prefix's length goes before a netmask: some clients give both.
      case .netmask:
        ["mask", "new_ip6_prefixlen", "subnet", "new_subnet_mask", "IPV4NETMASK", "NETMASK"]
      case .routers: ["router", "new_routers", "IPV4GATEWAY", "ROUTER"]
      case .nameServers:
        ["dns", "new_domain_name_servers", "new_dhcp6_name_servers", "IPV4DNS0", "IPV4DNS1", "DNS"]
      case .mtu: ["mtu", "new_interface_mtu", "MTU"]
      case .rootPath: ["rootpath", "new_root_path", "ROOTPATH", "ROOT_PATH"]
      }
    }
  }

  /// Reads what a client tells; nil if there is no address in it. What is malformed is as if it had not been said.
  init?(_ variables: ShellAssignments) {
    func texts(_ variable: Variable) -> [String] {
      variable.names.compactMap { variables[$0] }.flatMap { $0.split { " ,".contains($0) } }.map(String.init)
    }
    func addresses(_ variable: Variable) -> [IPAddress] {
      texts(variable).compactMap { IPAddress($0) }.filter { !$0.octets.allSatisfy { $0 == 0 } }
    }
    guard let address = addresses(.address).first else { return nil }
    let prefix = texts(.netmask).lazy.compactMap { text in
      try? BootInterface.prefixLength(text, of: address)
    }.first
    self.init(address: address, prefixLength: prefix ?? UInt8(8 * address.octets.count))
    routers = addresses(.routers).filter { $0.isIPv6 == address.isIPv6 }
    nameServers = addresses(.nameServers)
    // Less than any network has to carry is no MTU.
    let least: UInt32 = address.isIPv6 ? 1280 : 576
    mtu = texts(.mtu).first.flatMap { UInt32($0) }.flatMap { (least...65_535).contains($0) ? $0 : nil }
    rootPath = Variable.rootPath.names.lazy.compactMap { variables[$0] }.first { !$0.isEmpty }
  }
}

extension DHCPAnswer {
  /// Reads a server's message (RFC 2131, section 2; RFC 2132): nil if there is no address in it, or it is none.
  ///
  /// - Parameter octets: The message from `op` on.
  init?(message octets: [UInt8]) {
    // The cookie, and what comes before it: op to file.
    guard octets.count >= 240, Array(octets[236..<240]) == [99, 130, 83, 99],
      let address = IPAddress(octets: octets[16..<20]), address != .v4(0)
    else { return nil }
    self.init(address: address, prefixLength: 32)
    var rest = octets[240...]
    // A pad has no length, and 255 is the end.
    while let code = rest.popFirst(), code != 255 {
      if code == 0 { continue }
      guard let length = rest.popFirst(), rest.count >= length else { return }
      let value = rest.prefix(Int(length))
      rest = rest.dropFirst(Int(length))
      take(code, value)
    }
  }

  private mutating func take(_ option: UInt8, _ value: ArraySlice<UInt8>) {
    let octets = Array(value)
    let addresses = stride(from: 0, to: octets.count - octets.count % 4, by: 4).compactMap { start in
      IPAddress(octets: octets[start..<(start + 4)])
    }
    switch option {
    case 1: prefixLength = addresses.first?.maskLength ?? prefixLength
    case 3: routers = addresses
    case 6: nameServers = addresses
    case 17: rootPath = String(validating: value.prefix { $0 != 0 }, as: UTF8.self)
    case 26:
      let number = octets.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      mtu = octets.count == 2 && number >= 576 ? number : mtu
    default: break
    }
  }

  /// What another client has kept of the answer for a device: klibc's ipconfig, or systemd-networkd.
  static func kept(for device: String, index: UInt32, below root: FilePath = "/") -> DHCPAnswer? {
    for place in ["run/net-\(device).conf", "tmp/net-\(device).conf", "run/systemd/netif/leases/\(index)"] {
      let path = root.appending(FilePath(place).components)
      guard let contents = try? FileContents(of: path, limit: ShellAssignments.sizeLimit) else { continue }
      if let answer = DHCPAnswer(ShellAssignments(String(decoding: contents.octets, as: UTF8.self))) { return answer }
    }
    return nil
  }
}

/// The script of a DHCP client that is this program itself: it tells what the client has got, and leaves the rest to us.
///
/// So neither a shell is needed nor a place where a script could be written and run.
public enum DHCPScript {
  /// The variable by which the program knows that it is called as a script.
  public static let variable = "ISCSI_ADMIN_DHCP"
  /// The line before an answer: what a client has logged stands before it.
  static let begin = "DHCP_BEGIN=1\n"
  /// The line behind an answer.
  static let end = "DHCP_END=1\n"

  /// What a client's output has between the marks, the last time; nil if there is no answer in it.
  static func answer(in output: String) -> Substring? {
    guard let end = output.lastRange(of: Self.end), let begin = output[..<end.lowerBound].lastRange(of: Self.begin)
    else { return nil }
    return output[begin.upperBound..<end.lowerBound]
  }

  /// What the script prints.
  ///
  /// - Parameters:
  ///   - environment: The client's variables.
  ///   - arguments: The event, with udhcpc.
  /// - Returns: Assignments of the variables that tell of an answer; nothing for an event that is none.
  public static func text(environment: [String: String], arguments: [String]) -> String {
    let event = arguments.first ?? environment["reason"] ?? ""
    guard ["bound", "renew", "BOUND", "RENEW", "REBOOT", "BOUND6"].contains(event) else { return "" }
    let names = DHCPAnswer.Variable.allCases.flatMap(\.names)
    let lines = names.compactMap { name in environment[name].map { "\(name)=\($0.shellWord)\n" } }
    return begin + lines.joined() + end
  }
}

extension StringProtocol {
  /// Where a text stands last; nil if it does not.
  fileprivate func lastRange(of text: String) -> Range<Index>? {
    var start = endIndex
    while true {
      if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
      guard start > startIndex else { return nil }
      start = index(before: start)
    }
  }
}
