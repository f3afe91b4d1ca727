// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// Why a document declares no nodes.
public enum NodeDeclarationError: DiagnosableError, Hashable {
  /// The file cannot be read.
  case unreadable(path: String, Errno)
  /// It is no JSON.
  case notJSON(path: String, JSONTextError)
  /// It is JSON of another shape.
  case badShape(path: String, JSONCodingError)

  /// What is wrong, and where.
  public var description: String {
    switch self {
    case .unreadable(let path, let errno): "\(path) cannot be read: \(errno.label)"
    case .notJSON(let path, let error): "\(path) is no JSON: \(error)"
    case .badShape(let path, let error): "\(path) declares no nodes: \(error)"
    }
  }

  /// Not allowed, or an argument that cannot be used.
  public var exitStatus: ExitStatus {
    switch self {
    case .unreadable(_, .permissionDenied), .unreadable(_, .notPermitted): .access
    case .unreadable, .notJSON, .badShape: .invalidArgument
    }
  }
}

extension NodeDeclaration {
  /// The most octets of a document: those of about 20,000 nodes with all their settings.
  private static let sizeLimit = 64 << 20

  /// Reads the declarations of a JSON document: an object with a list `nodes` of objects with `target`, `portal` (an object
  /// with `address`, `port` and `targetPortalGroupTag`, or a text), `interface` and `settings`, whose values are texts.
  ///
  /// - Parameter path: The file; nil is standard input.
  /// - Returns: The declarations in their order.
  /// - Throws: What cannot be read, or is no such document.
  public static func read(_ path: FilePath?) throws(NodeDeclarationError) -> [NodeDeclaration] {
    let name = path?.string ?? "standard input"
    let octets: [UInt8]
    do throws(Errno) {
      octets =
        if let path { try FileContents(of: path, limit: sizeLimit + 1).octets } else {
          try FileContents(of: .standardInput, limit: sizeLimit + 1).octets
        }
      if octets.count > sizeLimit { throw .fileTooLarge }
    } catch {
      throw .unreadable(path: name, error)
    }
    return try list(in: octets, of: name)
  }

  /// Reads the declarations of a text.
  static func list(in octets: [UInt8], of name: String) throws(NodeDeclarationError) -> [NodeDeclaration] {
    let value: JSONValue
    do throws(JSONTextError) { value = try JSONText.parse(octets) } catch { throw .notJSON(path: name, error) }
    do throws(JSONCodingError) {
      try checkWhole(value)
      return try JSONValueDecoder().decode(Document.self, from: value).nodes.map(\.declaration)
    } catch {
      throw .badShape(path: name, error)
    }
  }

  /// Refuses a document that says itself that it is another one or lacks nodes, which pruning would take for nodes that are not
  /// wanted, and what would be passed over of its nodes.
  private static func checkWhole(_ document: JSONValue) throws(JSONCodingError) {
    func refuse(_ path: String..., because reason: String) -> JSONCodingError {
      JSONCodingError(path: path, problem: .badValue(reason))
    }
    if let kind = document["kind"], kind != "node-show", kind != "node-list" {
      throw refuse("kind", because: "must be \"node-show\" or \"node-list\"")
    }
    if let version = document["version"], version != 1 { throw refuse("version", because: "must be 1") }
    if let failures = document["failures"], failures != [] {
      throw refuse("failures", because: "must be empty: a document that lacks what failed is not whole")
    }
    // What is of another shape is the decoder's to tell.
    guard case .array(let nodes)? = document["nodes"] else { return }
    for (number, node) in nodes.enumerated() {
      guard case .object(let members) = node else { continue }
      // The last two are what node list and node show tell besides.
      let known = ["target", "portal", "interface", "settings", "startup", "discovery"]
      if let unknown = members.keys.filter({ !known.contains($0) }).min() {
        throw refuse("nodes", "\(number)", unknown, because: "is no key of a node")
      }
    }
  }
}

/// The document.
private struct Document: Decodable {
  struct Node: Decodable {
    let declaration: NodeDeclaration

    private enum CodingKeys: CodingKey { case target, portal, interface, settings }

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      func refuse(_ key: CodingKeys, _ reason: some CustomStringConvertible) -> DecodingError {
        .dataCorruptedError(forKey: key, in: container, debugDescription: "is refused: \(reason)")
      }
      let target: TargetName
      do { target = try TargetName(try container.decode(String.self, forKey: .target)) } catch let error
        as ISCSINameError
      {
        throw refuse(.target, error)
      }
      let portal: Portal
      do {
        portal =
          if let text = try? container.decode(String.self, forKey: .portal) { try Portal(text) } else {
            try container.decode(PortalObject.self, forKey: .portal).portal()
          }
      } catch let error as PortalError {
        throw refuse(.portal, error)
      }
      let word = try container.decodeIfPresent(String.self, forKey: .interface)
      guard let interface = word.map(InterfaceName.init) ?? .standard else {
        throw refuse(.interface, "it is no name of an interface")
      }
      let settings = try container.decodeIfPresent([String: String].self, forKey: .settings) ?? [:]
      declaration = NodeDeclaration(target, at: portal, over: interface, settings: Assignments(settings))
    }
  }

  struct PortalObject: Decodable {
    let address: String
    let port: UInt16?
    let targetPortalGroupTag: UInt16?

    func portal() throws(PortalError) -> Portal {
      if port == 0 { throw .badPort("0") }
      return Portal(host: try PortalHost(address), port: port ?? Portal.defaultPort, tag: targetPortalGroupTag)
    }
  }

  let nodes: [Node]
}
