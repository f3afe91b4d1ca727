// SPDX-License-Identifier: Apache-2.0

/// Finds the service of a request, and makes sure that the request fits its interface.
struct VarlinkRouter: Sendable {
  private struct Entry: Sendable {
    let service: any VarlinkService
    let interface: VarlinkInterface
  }

  private let entries: [String: Entry]

  /// A router to these services and `org.varlink.service`; of two services of one name the last one counts.
  init(_ services: [any VarlinkService], identity: VarlinkIdentity) throws(VarlinkInterfaceError) {
    let descriptions = Dictionary(services.map { ($0.description.name, $0.description) }) { $1 }
    var entries: [String: Entry] = [:]
    for service in services + [VarlinkIntrospection(identity: identity, others: descriptions)] {
      let description = service.description
      let interface = try VarlinkInterface(description.text)
      guard interface.name == description.name else {
        throw VarlinkInterfaceError(line: 1, problem: .badName(interface.name))
      }
      entries[description.name] = Entry(service: service, interface: interface)
    }
    self.entries = entries
  }

  /// Where a request goes.
  enum Route {
    case to(any VarlinkService)
    /// The request is refused with this reply.
    case refused(VarlinkReply)
  }

  /// The route of a request.
  func route(_ request: VarlinkRequest) -> Route {
    // There is nothing here that a connection could be upgraded to.
    if request.upgrade { return .refused(.invalidParameter("upgrade")) }
    let interface = request.interface ?? request.method
    guard let entry = entries[interface] else { return .refused(.interfaceNotFound(interface)) }
    guard let method = entry.interface.methods[request.name] else { return .refused(.methodNotFound(request.method)) }
    do throws(VarlinkMismatch) {
      // A newer client may know more parameters.
      try entry.interface.validate(request.parameters, against: method.input, allowsUnknown: true)
    } catch {
      return .refused(.invalidParameter(error.path.joined(separator: ".")))
    }
    return .to(entry.service)
  }
}
