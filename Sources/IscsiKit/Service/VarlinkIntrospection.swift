// SPDX-License-Identifier: Apache-2.0

/// Who offers a Varlink service, for `org.varlink.service.GetInfo`.
public struct VarlinkIdentity: Hashable, Sendable {
  /// Who makes it.
  public let vendor: String
  /// What it is called.
  public let product: String
  /// Its version.
  public let version: String
  /// Where to read about it.
  public let url: String

  /// An identity from its parts.
  public init(vendor: String, product: String, version: String, url: String) {
    self.vendor = vendor
    self.product = product
    self.version = version
    self.url = url
  }
}

/// The interface `org.varlink.service`, which every server has.
struct VarlinkIntrospection: VarlinkService {
  static let interface = VarlinkInterfaceDescription(name: "org.varlink.service", text: text)

  let identity: VarlinkIdentity
  /// All interfaces of the server but this one, by name.
  let others: [String: VarlinkInterfaceDescription]

  var description: VarlinkInterfaceDescription { Self.interface }

  func call(_ call: VarlinkCall) async -> VarlinkReply {
    switch call.method {
    case "GetInfo":
      let names = [Self.interface.name] + others.keys.sorted()
      return .success([
        "vendor": .string(identity.vendor), "product": .string(identity.product),
        "version": .string(identity.version), "url": .string(identity.url),
        "interfaces": .array(names.map(JSONValue.string)),
      ])
    case "GetInterfaceDescription":
      guard case .string(let name)? = call.parameters["interface"] else { return .invalidParameter("interface") }
      if name == Self.interface.name { return .success(["description": .string(Self.interface.text)]) }
      guard let other = others[name] else { return .interfaceNotFound(name) }
      return .success(["description": .string(other.text)])
    default:
      return .methodNotImplemented(call.method)
    }
  }

  private static let text = """
    # What every Varlink service can tell of itself.
    interface org.varlink.service

    # Who offers the service, and which interfaces it has.
    method GetInfo() -> (
      vendor: string,
      product: string,
      version: string,
      url: string,
      interfaces: []string
    )

    # The definition of an interface.
    method GetInterfaceDescription(interface: string) -> (description: string)

    # The service has no such interface.
    error InterfaceNotFound (interface: string)

    # The interface has no such method.
    error MethodNotFound (method: string)

    # The interface has the method, but this service does not offer it.
    error MethodNotImplemented (method: string)

    # A parameter does not fit the interface, or makes no sense.
    error InvalidParameter (parameter: string)

    # The caller may not do this.
    error PermissionDenied ()

    # The method answers with several replies and must be called so.
    error ExpectedMore ()

    """
}

extension VarlinkReply {
  static func interfaceNotFound(_ name: String) -> VarlinkReply {
    .failure(name: VarlinkErrorName.interfaceNotFound, parameters: ["interface": .string(name)])
  }

  static func methodNotFound(_ name: String) -> VarlinkReply {
    .failure(name: VarlinkErrorName.methodNotFound, parameters: ["method": .string(name)])
  }
}
