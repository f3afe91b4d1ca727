// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

// What the rules are tried on.
extension DiagnosisRuleTests {
  static let now = 1_795_000_000.0
  /// Where there is no session.
  static let otherPortal = Portal(host: .address(.v4(0x0A00_0009), scope: nil), port: 3260)

  /// A healthy session with one disk that nobody uses, by a supervised way.
  static func healthy() -> Evidence {
    var session = SessionSnapshot.example(1)
    session.abortTimeout = 5
    session.luResetTimeout = 10
    session.targetResetTimeout = 15
    for index in session.devices.indices { session.devices[index].timeout = 30 }
    var evidence = Evidence(session, now: now)
    evidence.daemon = .supervises(InitiatorTypes.Recovery(phase: "up", portal: "10.0.0.1:3260", recoveries: 0))
    evidence.way = .through(device: "eth0", .up, mtu: 1500)
    return evidence
  }

  /// The same session after its connection was lost.
  static func lost(
    _ failure: InitiatorTypes.Attempt? = nil, _ change: (inout InitiatorTypes.Outage) -> Void = { _ in }
  ) -> Evidence {
    var evidence = healthy()
    evidence.session?.state = .failed
    evidence.session?.connection?.state = .failed
    for index in evidence.devices.indices { evidence.devices[index].snapshot.state = "blocked" }
    evidence.session?.devices = evidence.devices.map(\.snapshot)
    var outage = InitiatorTypes.Outage(
      cause: "the kernel reported TCP_CONN_CLOSE (1020)", kernelError: 1020, since: now - 10, attempts: 3,
      lastFailure: failure, nextAttempt: now + 2, replacementTimeout: 120, deadline: now + 110)
    change(&outage)
    evidence.daemon = .supervises(
      InitiatorTypes.Recovery(phase: "recovering", portal: "10.0.0.1:3260", recoveries: 0, outage: outage))
    evidence.probe = .accepted
    return evidence
  }

  static func failure(_ cause: String, _ code: IscsiKit.ExitStatus, _ status: Int? = nil)
    -> InitiatorTypes.Attempt
  {
    InitiatorTypes.Attempt(
      number: 3, portal: "10.0.0.1:3260", cause: cause, time: now - 1, exitCode: Int(code.rawValue),
      loginStatus: status)
  }

  /// A healthy session with the host `san`, whose address this is, on a way that takes smaller packets than its device.
  static func onNarrowWay(to address: String) -> Evidence {
    changed(healthy()) {
      $0.portal = Portal(host: .name("san"), port: 3260)
      $0.address = IPAddress(address)
      $0.way = .through(device: "eth0", .up, mtu: 9000, pathMTU: 1500)
    }
  }

  /// A healthy session whose NOP-Outs are on, sent or not.
  static func watched(isIdle: Bool) -> Evidence {
    changed(
      session {
        $0.connection?.noopInterval = 5; $0.connection?.noopTimeout = 5
      }
    ) { evidence in
      guard var recovery = evidence.recovery else { return }
      recovery.noopsIdle = isIdle
      evidence.daemon = .supervises(recovery)
    }
  }

  static func changed(_ evidence: Evidence, _ change: (inout Evidence) -> Void) -> Evidence {
    var evidence = evidence
    change(&evidence)
    return evidence
  }

  static func session(_ change: (inout SessionSnapshot) -> Void) -> Evidence {
    changed(healthy()) { evidence in
      guard var session = evidence.session else { return }
      change(&session)
      evidence.session = session
    }
  }

  /// A session whose target was heard of the last time then.
  static func silent(_ since: Double?) -> Evidence {
    changed(session { $0.connection?.noopTimeout = 5 }) { evidence in
      evidence.daemon = .supervises(
        InitiatorTypes.Recovery(phase: "up", portal: "10.0.0.1:3260", recoveries: 0, silentSince: since))
    }
  }

  /// The session as a path of a map.
  static func onMultipath(_ seconds: Int32, _ noop: UInt32, _ queues: Bool?) -> Evidence {
    changed(timed(seconds, noop)) { evidence in
      evidence.devices[0].multipath = Evidence.Multipath(map: "mpatha", queues: queues)
    }
  }

  /// The session with a disk that is used.
  static func used(_ seconds: Int32, _ noop: UInt32, _ use: DeviceUse.Kind) -> Evidence {
    changed(timed(seconds, noop)) { evidence in
      evidence.devices[0].uses = [DeviceUse(disk: "sd1", through: [.init("sd1p1")], use)]
    }
  }

  static func timed(_ seconds: Int32, _ noop: UInt32) -> Evidence {
    session { session in
      session.replacementTimeout = seconds
      session.connection?.noopInterval = noop
    }
  }

  /// A portal without a session, whose target is reached at another one.
  static func path(isAutomatic: Bool) -> Evidence {
    let session = SessionSnapshot.example(1)
    var evidence = Evidence(target: session.targetName ?? "", portal: otherPortal, now: now)
    evidence.others = [session]
    evidence.isAutomatic = isAutomatic
    return evidence
  }

  static func twin(_ number: UInt32) -> SessionSnapshot {
    var twin = SessionSnapshot.example(1)
    twin.id = SessionID(rawValue: number)
    return twin
  }

  /// The session whose commands may take so many seconds.
  static func quick(_ seconds: UInt32) -> Evidence {
    changed(healthy()) { evidence in
      for index in evidence.devices.indices { evidence.devices[index].snapshot.timeout = seconds }
    }
  }

  /// A session of whose disk no request ends, with such NOP-Outs.
  static func stuck(_ interval: UInt32, isIdle: Bool = false) -> Evidence {
    changed(watched(isIdle: isIdle)) { evidence in
      evidence.session?.connection?.noopInterval = interval
      evidence.devices[0].stall = Evidence.Stall(requests: 3, seconds: 2)
    }
  }

  /// A session that is logged out of, whose disks are being removed since then.
  static func leaving(since time: Double?, _ change: (inout Evidence) -> Void = { _ in }) -> Evidence {
    changed(healthy()) { evidence in
      var recovery = InitiatorTypes.Recovery(phase: "loggingOut", portal: "10.0.0.1:3260", recoveries: 0)
      recovery.removingSince = time
      evidence.daemon = .supervises(recovery)
      change(&evidence)
    }
  }
}
