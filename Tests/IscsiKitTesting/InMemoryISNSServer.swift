// SPDX-License-Identifier: Apache-2.0
public import IscsiKit

/// An iSNS server with a list of attributes in place of a database: a client of `LoopbackTarget`.
public struct InMemoryISNSServer: OctetNode {
  /// What it answers queries with.
  public var attributes: [ISNSAttribute] = []
  /// Whether it answers only who is registered, on the same connection.
  public var wantsRegistration = false
  /// How it answers each function, where that is not with success.
  public var statuses: [ISNSFunction: ISNSStatus] = [:]
  /// Functions that get no answer.
  public var silentOn: Set<ISNSFunction> = []
  /// Whether queries of who is registered get no answer.
  public var isSilentOnceRegistered = false
  /// Whether the answers to queries of who is registered are those of no iSNS server.
  public var isGarbledOnceRegistered = false
  /// Functions in place of whose answer the connection is closed.
  public var closesOn: Set<ISNSFunction> = []
  /// The most octets of payload in a PDU.
  public var maxPayload = ISNSHeader.maxPayload
  /// What it sends before each answer.
  public var notices: [UInt8] = []
  /// Is told each request.
  public var log: @Sendable (ISNSMessage) -> Void = { _ in }

  private var assembler = ISNSAssembler()
  private var isRegistered = false

  /// A server that knows nothing.
  public init() {}

  /// Answers the requests that have come whole; octets that are none end the connection.
  public mutating func reply(to octets: [UInt8]) -> StreamReply {
    assembler.feed(octets)
    var reply = StreamReply(octets: [])
    do throws(ISNSError) {
      while !reply.closes, let request = try assembler.next() {
        log(request)
        reply.closes = closesOn.contains(request.function)
        guard !reply.closes, !silentOn.contains(request.function) else { continue }
        if isSilentOnceRegistered, isRegistered, request.function == .query { continue }
        if isGarbledOnceRegistered, isRegistered, request.function == .query {
          reply.octets += Array("HTTP/1.1 400 Bad Request".utf8)
          continue
        }
        reply.octets += notices + answer(to: request).octets(from: .server, maxPayload: maxPayload)
      }
    } catch {
      reply.closes = true
    }
    return reply
  }

  private mutating func answer(to request: ISNSMessage) -> ISNSMessage {
    var status = statuses[request.function] ?? .successful
    var body: [ISNSAttribute] = []
    switch request.function {
    case .register where status == .successful: isRegistered = true
    case .deregister: isRegistered = false
    case .query where status == .successful:
      if wantsRegistration, !isRegistered {
        status = .sourceUnknown
      } else {
        body = [ISNSAttribute(.nodeType, ISNSNodeType.target.rawValue), ISNSAttribute(.delimiter)] + attributes
      }
    default: break
    }
    let number = status.rawValue
    let octets = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> UInt32($0)) }
    return ISNSMessage(
      request.function.response, transactionID: request.transactionID, payload: octets + body.flatMap(\.octets))
  }
}

extension [ISNSAttribute] {
  /// A target with its portals, as a server lists them.
  ///
  /// - Parameters:
  ///   - name: The target's name.
  ///   - portals: Address, TCP port and portal group tag of each portal; nil for one that does not lead to the target.
  /// - Returns: The attributes of a node, of its portals and of its portal groups.
  public static func isns(
    target name: String, at portals: [(address: IPAddress, port: UInt16, tag: PortalGroupTag?)]
  ) -> [ISNSAttribute] {
    var attributes = [ISNSAttribute(.nodeName, name), ISNSAttribute(.nodeType, ISNSNodeType.target.rawValue)]
    for portal in portals {
      let port = UInt32(portal.port)
      attributes += [ISNSAttribute(.portalAddress, portal.address), ISNSAttribute(.portalPort, port)]
      attributes += [
        ISNSAttribute(.groupNodeName, name), ISNSAttribute(.groupAddress, portal.address),
        ISNSAttribute(.groupPort, port),
        portal.tag.map { ISNSAttribute(.groupTag, UInt32($0)) } ?? ISNSAttribute(.groupTag),
      ]
    }
    return attributes
  }
}
