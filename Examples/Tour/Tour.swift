// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// Shows the sessions of this machine; given a portal, asks it for its targets and logs in to the first. With `by-daemon` or
/// `alone` it does what the README shows.
@main
struct Tour {
  static func main() async throws {
    try showSessions()
    switch CommandLine.arguments.dropFirst().first {
    case "by-daemon": try await logInByDaemon()
    case "alone": try await logInAlone()
    case let portal?: try await logIn(at: portal)
    case nil: break
    }
  }

  /// What the kernel has: no daemon is needed for that.
  static func showSessions() throws {
    for session in try Sysfs().sessions() {
      print("session \(session.id) of \(session.targetName ?? "?"): \(session.state?.rawValue ?? "?")")
      for device in session.devices {
        print("  LUN \(device.lun) is \(device.blockDevice ?? "no disk"), \(device.state ?? "?")")
      }
    }
  }

  /// Discovers and logs in, by the daemon.
  static func logIn(at portal: String) async throws {
    let initiator = Initiator()
    let found = try await initiator.discover(InitiatorTypes.DiscoverInput(portal: portal))
    guard let target = found.targets.first, let address = target.portals.first else { return }

    var description = LoginDescription(target: target.name, portal: address)
    description.timeouts = LoginDescription.TimeoutsDescription(replacement: 30)
    let results = try await initiator.login(InitiatorTypes.LoginInput(logins: [description]))
    for result in results {
      if let failure = result.failure { print("\(failure)") }
      if let session = result.session {
        print("session \(session.session): \(session.devices.compactMap(\.blockDevice))")
      }
    }
  }
}
