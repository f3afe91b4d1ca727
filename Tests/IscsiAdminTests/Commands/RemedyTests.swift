// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import Testing

@testable import IscsiKit
@testable import iscsi_admin

/// What a diagnosis tells people to do.
@Suite("Remedies")
struct RemedyTests {
  private static let now = 1_795_000_000.0

  private static func evidence(_ change: (inout Evidence) -> Void) -> Evidence {
    var evidence = Evidence(.example(1), now: now)
    evidence.daemon = .supervises(InitiatorTypes.Recovery(phase: "up", portal: "10.0.0.1:3260", recoveries: 0))
    change(&evidence)
    return evidence
  }

  /// A session that is away, whose last login failed.
  private static func refused(_ code: IscsiKit.ExitStatus, _ status: Int) -> Evidence {
    evidence { evidence in
      evidence.session?.state = .failed
      evidence.session?.connection?.state = .failed
      let failure = InitiatorTypes.Attempt(
        number: 1, portal: "10.0.0.1:3260", cause: "refused", time: now, exitCode: Int(code.rawValue),
        loginStatus: status)
      let outage = InitiatorTypes.Outage(cause: "x", since: now, attempts: 1, lastFailure: failure)
      evidence.daemon = .supervises(
        InitiatorTypes.Recovery(phase: "recovering", portal: "10.0.0.1:3260", recoveries: 0, outage: outage))
      evidence.probe = .accepted
    }
  }

  private static func twin() -> SessionSnapshot {
    var twin = SessionSnapshot.example(1)
    twin.id = SessionID(rawValue: 0)
    return twin
  }

  /// Evidence by which the rules name a command of ours.
  private static func all() throws -> [Evidence] {
    let multipath = { (seconds: Int32, noop: UInt32) in
      evidence { evidence in
        evidence.devices[0].multipath = Evidence.Multipath(map: "mpatha", queues: true)
        evidence.session?.replacementTimeout = seconds
        evidence.session?.connection?.noopInterval = noop
      }
    }
    return [
      refused(.authentication, 0x0201), refused(.fatalLogin, 0x0203),
      Evidence(target: "iqn.2026-11.org.example:x", portal: try Portal("10.0.0.9:3260"), now: now),
      multipath(5, 0), multipath(120, 5),
      evidence { $0.devices[0].snapshot.state = "offline" },
      evidence { $0.losses = (0..<4).map { .init(time: now - Double($0), kernelError: 1020) } },
      evidence { $0.others = [twin()] },
      evidence { $0.devices[0].uses = [DeviceUse(disk: "sd1", through: [], .swap)] },
      evidence { $0.session?.replacementTimeout = 5 },
      evidence { $0.session?.abortTimeout = 99 },
      evidence { $0.session?.connection?.noopTimeout = 0 },
      evidence { evidence in
        evidence.session?.connection?.noopInterval = 0
        evidence.devices[0].stall = Evidence.Stall(requests: 1, seconds: 2)
      },
      evidence { $0.devices[0].snapshot.timeout = 2 },
      evidence { $0.devices[0].snapshot.timeout = 8 },
    ]
  }

  /// The rules that name a command of ours, each with its commands.
  private static func commands() throws -> [String: Set<String>] {
    try all().flatMap { $0.findings }.reduce(into: [:]) { found, finding in
      guard case .command(let text, _)? = finding.remedy, text.hasPrefix("iscsi-admin ") else { return }
      found[finding.rule, default: []].insert(text)
    }
  }

  @Test("that are commands of ours are command lines that we take")
  func commands() throws {
    let commands = try Self.commands()
    for (rule, texts) in commands {
      for text in texts {
        let words = text.split(separator: " ").dropFirst().map(String.init)
        #expect(throws: Never.self, "\(rule): \(text)") { try IscsiAdmin.command(words) }
      }
    }
    #expect(
      Set(commands.keys) == [
        "chap-wrong", "login-refused", "no-session", "devices-offline", "initiator-name-twice", "duplicate-session",
        "noop-off-on-multipath", "noop-on-for-root", "short-wait-for-root", "long-wait-on-multipath",
        "short-wait-without-multipath", "device-timeout-short", "noop-half-off", "noop-slower-than-device",
        "io-stuck",
      ])
  }
}
