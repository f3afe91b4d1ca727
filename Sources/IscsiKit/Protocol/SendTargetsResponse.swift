// SPDX-License-Identifier: Apache-2.0

/// The answer to SendTargets, checked (RFC 7143, appendix C).
///
/// A bad entry does not spoil the others: it is listed in `refused` with its reason. Keys other than TargetName and
/// TargetAddress are passed over. The time is linear in the length of the text.
public struct SendTargetsResponse: Hashable, Sendable {
  /// Why an entry of the answer was left out.
  public enum RefusalReason: Error, Hashable, Sendable, CustomStringConvertible {
    /// The value of TargetName is no iSCSI name; its addresses are left out too.
    case name(ISCSINameError)
    /// The value of TargetAddress is no portal.
    case address(PortalError)
    /// The value of TargetAddress has more than 512 octets or something else than printable ASCII.
    case unreadableAddress
    /// The value of TargetAddress is 0.0.0.0 or [::], which would lead back to this machine.
    case unspecifiedAddress
    /// TargetAddress comes before any TargetName.
    case addressWithoutTarget
    /// The entry is not UTF-8.
    case notUTF8
    /// The entry has no `=`.
    case notKeyValue
    /// The target answers SendTargets itself with a word such as `Reject` or `NotUnderstood`.
    case requestRefused

    /// The reason in words.
    public var description: String {
      switch self {
      case .name(let error): error.description
      case .address(let error): error.description
      case .unreadableAddress: "the address is too long or not printable ASCII"
      case .unspecifiedAddress: "the address is the unspecified one"
      case .addressWithoutTarget: "the address comes before any target name"
      case .notUTF8: "the text is not UTF-8"
      case .notKeyValue: "the text is no key=value pair"
      case .requestRefused: "the target refuses SendTargets"
      }
    }
  }

  /// An entry that was left out.
  public struct Refusal: Hashable, Sendable {
    /// The entry on one line: what is not printable ASCII is escaped, and it is cut after 256 octets.
    public let text: String
    /// Why.
    public let reason: RefusalReason
  }

  /// A portal that sent us to another one.
  public struct Redirect: Hashable, Sendable {
    /// The portal.
    public let from: Portal
    /// Where it sent us.
    public let to: LoginRedirect
  }

  /// The most refusals that are listed; more are only counted.
  public static let maxRefusals = 256

  /// The targets in the order of the answer, each once.
  public private(set) var targets: [DiscoveredTarget] = []
  /// The first entries that were left out.
  public private(set) var refused: [Refusal] = []
  /// The portals that sent us elsewhere on the way to this answer, each with where.
  public internal(set) var redirects: [Redirect] = []
  /// How many entries were left out.
  public private(set) var refusedCount = 0

  /// Reads the text of an answer.
  ///
  /// - Parameters:
  ///   - text: The collected data segments: `key=value` entries, each ended by NUL.
  ///   - discoveryPortal: Where the answer came from. It stands, without tag, for a target that has no address, and its
  ///     IPv6 scope is used for link-local addresses: a scope that the target names means nothing on this machine.
  public init(text: [UInt8], discoveryPortal: Portal) {
    var parser = Parser(discoveryPortal: discoveryPortal)
    for entry in text.split(separator: 0) {
      do throws(RefusalReason) {
        try parser.read(entry)
      } catch {
        refusedCount += 1
        guard refused.count < Self.maxRefusals else { continue }
        refused.append(Refusal(text: Self.displayable(entry), reason: error))
      }
    }
    targets = parser.finish()
  }

  /// `entry` as printable ASCII.
  private static func displayable(_ entry: ArraySlice<UInt8>) -> String {
    let head = String(decoding: entry.prefix(256), as: UTF8.self)
    return head.unicodeScalars.map { $0.escaped(asASCII: true) }.joined() + (entry.count > 256 ? "..." : "")
  }
}

extension SendTargetsResponse {
  /// Where the text is.
  private enum Position {
    case start
    case target(index: Int)
    case refusedTarget
  }

  /// A target while its addresses are collected.
  private struct Candidate {
    /// How many portals are looked through; most targets have one or two, and a set costs more than all else of them.
    private static let few = 16

    var target: DiscoveredTarget
    var hasAddress = false
    /// The portals, as soon as they are many.
    private var known: Set<Portal> = []

    init(_ target: DiscoveredTarget) { self.target = target }

    /// Adds a portal that is not there yet.
    mutating func add(_ portal: Portal) {
      if target.portals.count < Self.few {
        if target.portals.contains(portal) { return }
      } else {
        if known.isEmpty { known = Set(target.portals) }
        guard known.insert(portal).inserted else { return }
      }
      target.portals.append(portal)
    }
  }

  private struct Parser {
    let discoveryPortal: Portal
    var position = Position.start
    var candidates: [Candidate] = []
    var indices: [TargetName: Int] = [:]

    init(discoveryPortal: Portal) { self.discoveryPortal = discoveryPortal }

    mutating func read(_ entry: ArraySlice<UInt8>) throws(RefusalReason) {
      guard let separator = entry.firstIndex(of: UInt8(ascii: "=")) else { throw .notKeyValue }
      let key = entry[..<separator]
      let value = entry[entry.index(after: separator)...]
      if key.elementsEqual("TargetName".utf8) {
        // Until the name proves good, addresses belong to a target that was refused.
        position = .refusedTarget
        position = .target(index: try index(of: try Self.string(value)))
      } else if key.elementsEqual("TargetAddress".utf8) {
        try addAddress(value)
      } else if key.elementsEqual("SendTargets".utf8), Self.refusingWords.contains(Array(value)) {
        throw .requestRefused
      }
    }

    /// The values that answer a key instead of a value of its own (RFC 7143, section 6.2).
    private static let refusingWords = Set(["Reject", "NotUnderstood", "Irrelevant"].map { Array($0.utf8) })

    private static func string(_ octets: ArraySlice<UInt8>) throws(RefusalReason) -> String {
      guard let text = String(validating: octets, as: UTF8.self) else { throw .notUTF8 }
      return text
    }

    private mutating func index(of text: String) throws(RefusalReason) -> Int {
      let name: TargetName
      do throws(ISCSINameError) { name = try TargetName(text) } catch { throw .name(error) }
      let next = candidates.count
      let index = Self.place(next, in: &indices[name])
      if index == next {
        let warnings = name.warnings.map(DiscoveredTarget.Warning.name)
        candidates.append(Candidate(DiscoveredTarget(name: name, portals: [], warnings: warnings)))
      }
      return index
    }

    /// The number that is there, or the one that is put there.
    private static func place(_ number: Int, in known: inout Int?) -> Int {
      let index = known ?? number
      known = index
      return index
    }

    private mutating func addAddress(_ value: ArraySlice<UInt8>) throws(RefusalReason) {
      let index: Int
      switch position {
      case .start: throw .addressWithoutTarget
      case .refusedTarget: return
      case .target(let current): index = current
      }
      candidates[index].hasAddress = true
      // Checked first, because the reasons of `PortalError` quote the text.
      guard value.count <= 512, value.allSatisfy({ (0x21..<0x7F).contains($0) }) else { throw .unreadableAddress }
      let portal = try usable(try Self.string(value))
      candidates[index].add(portal)
    }

    private func usable(_ text: String) throws(RefusalReason) -> Portal {
      let portal: Portal
      do throws(PortalError) { portal = try Portal(text) } catch { throw .address(error) }
      guard let usable = portal.named(by: discoveryPortal) else { throw .unspecifiedAddress }
      return usable
    }

    /// The targets; who sent no address at all is reached where the answer came from.
    func finish() -> [DiscoveredTarget] {
      candidates.map { candidate in
        var target = candidate.target
        if !candidate.hasAddress {
          target.portals = [Portal(host: discoveryPortal.host, port: discoveryPortal.port)]
        } else if target.portals.isEmpty {
          target.warnings.append(.noUsableAddress)
        }
        return target
      }
    }
  }
}
