// SPDX-License-Identifier: Apache-2.0

/// An interface that a server offers.
public protocol VarlinkService: Sendable {
  /// The interface. The server reads it once, when it is made.
  var description: VarlinkInterfaceDescription { get }

  /// Answers a call of a method that `description` has, with input parameters that fit it.
  ///
  /// Calls of different connections run side by side. The task is cancelled when the client hangs up or the server
  /// closes; the reply to a server that closes is still sent.
  ///
  /// - Parameter call: The call.
  /// - Returns: The output parameters or an error.
  func call(_ call: VarlinkCall) async -> VarlinkReply
}

/// An interface as a text.
public struct VarlinkInterfaceDescription: Hashable, Sendable {
  /// Its name: `org.varlink.service`.
  public let name: String
  /// Its definition in Varlink's description language.
  public let text: String

  /// A description from its parts.
  public init(name: String, text: String) {
    self.name = name
    self.text = text
  }
}

/// Why an intermediate reply was not sent.
public enum VarlinkSendError: Error, Hashable, Sendable {
  /// The client did not ask for several replies.
  case notWanted
  /// The call has ended: answered, cancelled, or its client is gone.
  case ended
  /// The parameters cannot be said in JSON, or the message is too large.
  case unsayable
}

/// A call of a method.
public struct VarlinkCall: Sendable {
  /// The method, without the interface.
  public let method: String
  /// The input parameters, an object. Keys beyond those of the interface are possible.
  public let parameters: JSONValue
  /// Who calls.
  public let peer: UnixPeer
  /// Whether the client takes intermediate replies.
  public let wantsMore: Bool

  private let sender: @Sendable (JSONValue) async throws(VarlinkSendError) -> Void

  /// A call from its parts.
  ///
  /// - Parameters:
  ///   - method: The method, without the interface.
  ///   - parameters: The input parameters, an object.
  ///   - peer: Who calls.
  ///   - wantsMore: Whether the client takes intermediate replies.
  ///   - sender: Sends an intermediate reply.
  public init(
    method: String, parameters: JSONValue = [:], peer: UnixPeer = .current, wantsMore: Bool = false,
    sender: @escaping @Sendable (JSONValue) async throws(VarlinkSendError) -> Void = { _ in }
  ) {
    self.method = method
    self.parameters = parameters
    self.peer = peer
    self.wantsMore = wantsMore
    self.sender = sender
  }

  /// Sends a reply that others follow, and returns once the kernel has it. Tasks may call it side by side.
  ///
  /// - Parameter intermediate: The output parameters, an object.
  /// - Throws: Why it was not sent.
  public func send(_ intermediate: JSONValue) async throws(VarlinkSendError) {
    guard wantsMore else { throw .notWanted }
    try await sender(intermediate)
  }
}

extension VarlinkCall {
  /// The input parameters as a Swift type.
  ///
  /// - Parameter type: The type.
  /// - Returns: The parameters.
  /// - Throws: What does not fit; `VarlinkReply.init(_:)` makes the reply of it.
  public func decodeParameters<Value: Decodable>(as type: Value.Type = Value.self) throws(JSONCodingError) -> Value {
    try JSONValueDecoder().decode(type, from: parameters)
  }
}

extension VarlinkReply {
  /// The reply to parameters that do not fit: `InvalidParameter` with the path of the one at fault.
  public init(_ error: JSONCodingError) { self = .invalidParameter(error.path.joined(separator: ".")) }
}
