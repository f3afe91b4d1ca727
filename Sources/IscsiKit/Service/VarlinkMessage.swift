// SPDX-License-Identifier: Apache-2.0

/// A request as it is on the wire (varlink.org, "Method Call").
struct VarlinkRequest: Hashable {
  /// The interface and the method: `org.varlink.service.GetInfo`.
  var method: String
  /// An object.
  var parameters: JSONValue = [:]
  /// No reply is wanted.
  var oneway = false
  /// Several replies are taken.
  var more = false
  /// The connection is to speak another protocol afterwards.
  var upgrade = false

  /// The interface, which is all before the last dot; nil if there is no dot.
  var interface: String? { method.lastIndex(of: ".").map { String(method[..<$0]) } }
  /// The method without the interface.
  var name: String { method.lastIndex(of: ".").map { String(method[method.index(after: $0)...]) } ?? method }
}

extension VarlinkRequest {
  /// Reads a request; nil if the text is no JSON or no request. Keys that Varlink does not define are ignored.
  init?(_ octets: [UInt8]) {
    guard let value = try? JSONText.parse(octets), case .string(let method)? = value["method"],
      let parameters = VarlinkReply.parameters(value["parameters"]), let oneway = Self.flag(value["oneway"]),
      let more = Self.flag(value["more"]), let upgrade = Self.flag(value["upgrade"])
    else { return nil }
    self.init(method: method, parameters: parameters, oneway: oneway, more: more, upgrade: upgrade)
  }

  /// The message, its NUL included.
  func encoded() throws(JSONTextError) -> [UInt8] {
    var members: [String: JSONValue] = ["method": .string(method), "parameters": parameters]
    if oneway { members["oneway"] = true }
    if more { members["more"] = true }
    if upgrade { members["upgrade"] = true }
    return try JSONText.print(.object(members)) + [0]
  }

  private static func flag(_ value: JSONValue?) -> Bool? {
    switch value {
    case nil, .null: false
    case .bool(let flag): flag
    default: nil
    }
  }
}

/// What a method answers in the end.
public enum VarlinkReply: Hashable, Sendable {
  /// The output parameters, an object.
  case success(JSONValue = [:])
  /// An error by its full name, `interface.Name`, and its parameters, an object.
  case failure(name: String, parameters: JSONValue = [:])

  /// An input parameter is not what the interface says, or makes no sense (`org.varlink.service.InvalidParameter`).
  public static func invalidParameter(_ name: String) -> VarlinkReply {
    .failure(name: VarlinkErrorName.invalidParameter, parameters: ["parameter": .string(name)])
  }

  /// The interface has the method, and this service has not (`org.varlink.service.MethodNotImplemented`).
  public static func methodNotImplemented(_ method: String) -> VarlinkReply {
    .failure(name: VarlinkErrorName.methodNotImplemented, parameters: ["method": .string(method)])
  }

  /// The method makes sense with several replies only (`org.varlink.service.ExpectedMore`).
  public static let expectedMore = VarlinkReply.failure(name: VarlinkErrorName.expectedMore)

  /// The message, its NUL included.
  func encoded() throws(JSONTextError) -> [UInt8] {
    switch self {
    case .success(let parameters): try JSONText.print(["parameters": parameters]) + [0]
    case .failure(let name, let parameters):
      try JSONText.print(["error": .string(name), "parameters": parameters]) + [0]
    }
  }

  /// The message of a reply that others follow, its NUL included.
  static func encodedIntermediate(_ parameters: JSONValue) throws(JSONTextError) -> [UInt8] {
    try JSONText.print(["continues": true, "parameters": parameters]) + [0]
  }

  /// Reads a reply, and whether others follow; nil if the text is no JSON or no reply.
  static func decode(_ octets: [UInt8]) -> (reply: VarlinkReply, continues: Bool)? {
    guard let value = try? JSONText.parse(octets), case .object = value,
      let parameters = parameters(value["parameters"])
    else { return nil }
    switch (value["error"], value["continues"]) {
    case (.string(let name)?, _): return (.failure(name: name, parameters: parameters), false)
    case (nil, nil), (nil, false), (nil, .null), (.null, nil), (.null, false), (.null, .null):
      return (.success(parameters), false)
    case (nil, true), (.null, true): return (.success(parameters), true)
    default: return nil
    }
  }

  /// Parameters that may be left out; nil if they are no object.
  static func parameters(_ value: JSONValue?) -> JSONValue? {
    switch value {
    case nil, .null: [:]
    case .object: value
    default: nil
    }
  }
}

/// Names of the errors that every service may answer.
public enum VarlinkErrorName {
  /// The interface is not here; parameter `interface`.
  public static let interfaceNotFound = "org.varlink.service.InterfaceNotFound"
  /// The interface has no such method; parameter `method`.
  public static let methodNotFound = "org.varlink.service.MethodNotFound"
  /// The method is not implemented here; parameter `method`.
  public static let methodNotImplemented = "org.varlink.service.MethodNotImplemented"
  /// A parameter cannot be used; parameter `parameter`.
  public static let invalidParameter = "org.varlink.service.InvalidParameter"
  /// The method must be called with `more`.
  public static let expectedMore = "org.varlink.service.ExpectedMore"
  /// The caller may not use the daemon.
  public static let permissionDenied = "io.iscsi-admin.Initiator.PermissionDenied"
  /// The daemon has as many clients as it takes.
  public static let busy = "io.iscsi-admin.Initiator.Busy"
  /// The daemon failed to make its reply; parameter `reason`.
  public static let `internal` = "io.iscsi-admin.Initiator.Internal"
}
