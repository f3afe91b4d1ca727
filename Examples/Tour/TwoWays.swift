// SPDX-License-Identifier: Apache-2.0
import IscsiKit

// The two ways to work with sessions, as the README shows them.

extension Tour {
  /// The daemon has the sessions, and keeps them.
  static func logInByDaemon() async throws {
    let initiator = Initiator()
    let login = LoginDescription(target: "iqn.2003-01.org.example:disk1", portal: "10.0.0.1")
    for result in try await initiator.login(.init(logins: [login])) { print(result) }
    for try await event in initiator.events() { print(event.message) }
  }

  /// This program has them as long as it runs.
  static func logInAlone() async throws {
    let me = try InitiatorName("iqn.2026-11.org.example:host")
    let found = try await SendTargetsDiscovery(initiator: me).run(at: Portal("10.0.0.1"))
    let manager = SessionManager(link: try await KernelLink.open())
    for target in found.targets {
      for portal in target.portals {
        let login = try await manager.login(LoginRequest(initiator: me, target: target.name, portal: portal))
        print(login.session, login.devices.compactMap(\.blockDevice))
      }
    }
  }
}
