// SPDX-License-Identifier: Apache-2.0

/// The targets in an iSNS server's answer to a query, checked (RFC 4171, section 5.7.5.2).
///
/// A target is found through its portal groups: each names a target and a portal of it. A bad object does not spoil the
/// others: it is listed in `refused` with its reason. The time is linear in the length of the answer.
public struct ISNSTargets: Hashable, Sendable {
  /// Why an object of the answer was left out.
  public enum RefusalReason: Error, Hashable, Sendable, CustomStringConvertible {
    /// The name is no iSCSI name.
    case name(ISCSINameError)
    /// The name is not UTF-8.
    case notUTF8
    /// The portal group lacks this attribute, or has it in another length than it has.
    case missing(ISNSTag)
    /// The portal is one of UDP.
    case notTCP
    /// The address is 0.0.0.0 or [::], which would lead back to this machine.
    case unspecifiedAddress

    /// Whether the name is what is bad.
    fileprivate var isOfName: Bool {
      switch self {
      case .name, .notUTF8: true
      case .missing, .notTCP, .unspecifiedAddress: false
      }
    }

    /// The reason in words.
    public var description: String {
      switch self {
      case .name(let error): error.description
      case .notUTF8: "the name is not UTF-8"
      case .missing(.groupAddress): "the portal group has no usable address"
      case .missing(.groupPort): "the portal group has no usable port"
      case .missing(.groupTag): "the portal group has no usable tag"
      case .missing(let tag): "attribute \(tag) is missing"
      case .notTCP: "the portal is not one of TCP"
      case .unspecifiedAddress: "the address is the unspecified one"
      }
    }
  }

  /// An object that was left out.
  public struct Refusal: Hashable, Sendable {
    /// Its name and, if it is a portal group, its portal, on one line: what is not printable ASCII is escaped.
    public let text: String
    /// Why.
    public let reason: RefusalReason
  }

  /// The most refusals that are listed; more are only counted.
  public static let maxRefusals = 256

  /// The targets in the order of the answer, each once.
  public private(set) var targets: [DiscoveredTarget] = []
  /// The first objects that were left out.
  public private(set) var refused: [Refusal] = []
  /// How many objects were left out.
  public private(set) var refusedCount = 0

  /// What is known of names: which are targets, with which portals, which are other nodes, and which are none.
  private struct Index {
    var targets: [TargetName: Int] = [:]
    var portals: Set<PortalOfName> = []
    var others: Set<TargetName> = []
    var badNames: Set<ArraySlice<UInt8>> = []
  }

  private struct PortalOfName: Hashable {
    let name: TargetName
    let portal: Portal
  }

  /// An answer without any target.
  public init() {}

  /// Reads the attributes of an answer.
  ///
  /// - Parameters:
  ///   - attributes: The operating attributes, as they stand in the message.
  ///   - server: Where the answer came from. Its IPv6 scope is used for link-local addresses.
  /// - Throws: What makes the attributes no list of attributes at all.
  public init(_ attributes: ArraySlice<UInt8>, from server: Portal) throws(ISNSError) {
    var index = Index()
    var rest = attributes
    var object: [ISNSAttribute] = []
    while let attribute = try ISNSAttribute(takenFrom: &rest) {
      if attribute.tag.beginsObject {
        add(object, &index, from: server)
        object = [attribute]
      } else if object.count < Self.maxAttributes {
        object.append(attribute)
      }
    }
    add(object, &index, from: server)
    for position in targets.indices where targets[position].portals.isEmpty {
      targets[position].warnings.append(.noUsableAddress)
    }
  }

  /// The attributes of an object that are looked at; what was asked for are four.
  private static let maxAttributes = 64

  private mutating func add(_ object: [ISNSAttribute], _ index: inout Index, from server: Portal) {
    do throws(RefusalReason) {
      switch object.first?.tag {
      case .nodeName?: try addNode(object, &index)
      case .groupNodeName?: try addGroup(object, &index, from: server)
      default: break
      }
    } catch {
      // A bad name is told once, whatever goes by it.
      if error.isOfName, !index.badNames.insert(object.first?.textOctets ?? []).inserted { return }
      refusedCount += 1
      guard refused.count < Self.maxRefusals else { return }
      refused.append(Refusal(text: Self.displayable(object), reason: error))
    }
  }

  private mutating func addNode(_ object: [ISNSAttribute], _ index: inout Index) throws(RefusalReason) {
    let name = try Self.name(object)
    let type = object.first(.nodeType)?.number.map(ISNSNodeType.init)
    if type?.contains(.target) ?? true {
      _ = position(of: name, &index)
    } else {
      index.others.insert(name)
    }
  }

  private mutating func addGroup(
    _ object: [ISNSAttribute], _ index: inout Index, from server: Portal
  ) throws(RefusalReason) {
    let name = try Self.name(object)
    guard !index.others.contains(name) else { return }
    guard let tag = object.first(.groupTag) else { throw .missing(.groupTag) }
    // Without a value, it says that the portal does not lead to the target.
    guard !tag.value.isEmpty else { return }
    guard let group = tag.number else { throw .missing(.groupTag) }
    guard let address = object.first(.groupAddress)?.address else { throw .missing(.groupAddress) }
    guard let port = object.first(.groupPort)?.port else { throw .missing(.groupPort) }
    guard !port.isUDP else { throw .notTCP }
    let number = port.number == 0 ? Portal.defaultPort : port.number
    // The upper half of the tag is reserved.
    let named = Portal(
      host: .address(address, scope: nil), port: number, tag: PortalGroupTag(truncatingIfNeeded: group))
    guard let portal = named.named(by: server) else { throw .unspecifiedAddress }
    let position = position(of: name, &index)
    if index.portals.insert(PortalOfName(name: name, portal: portal)).inserted {
      targets[position].portals.append(portal)
    }
  }

  private mutating func position(of name: TargetName, _ index: inout Index) -> Int {
    if let known = index.targets[name] { return known }
    targets.append(DiscoveredTarget(name: name, portals: [], warnings: name.warnings.map { .name($0) }))
    index.targets[name] = targets.count - 1
    return targets.count - 1
  }

  private static func name(_ object: [ISNSAttribute]) throws(RefusalReason) -> TargetName {
    guard let text = String(validating: object.first?.textOctets ?? [], as: UTF8.self) else { throw .notUTF8 }
    do throws(ISCSINameError) { return try TargetName(text) } catch { throw .name(error) }
  }

  /// Name and portal of an object as printable ASCII; a name is cut after 256 octets.
  private static func displayable(_ object: [ISNSAttribute]) -> String {
    let octets = object.first?.textOctets ?? []
    var text = String(decoding: octets.prefix(256), as: UTF8.self).unicodeScalars.map { $0.escaped(asASCII: true) }
      .joined()
    if octets.count > 256 { text += "..." }
    if let address = object.first(.groupAddress)?.address {
      let port = object.first(.groupPort)?.port?.number ?? 0
      text += " at " + Portal(host: .address(address, scope: nil), port: port).address
    }
    return text
  }
}

extension [ISNSAttribute] {
  fileprivate func first(_ tag: ISNSTag) -> ISNSAttribute? { first { $0.tag == tag } }
}

extension ISNSTag {
  /// Whether an object begins with the attribute: it is the first of its keys.
  fileprivate var beginsObject: Bool {
    self == .entityIdentifier || self == .portalAddress || self == .nodeName || self == .groupNodeName
  }
}
