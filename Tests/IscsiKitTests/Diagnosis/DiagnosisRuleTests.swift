// SPDX-License-Identifier: Apache-2.0
import IscsiKitTesting
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Rules of a diagnosis")
struct DiagnosisRuleTests {
  /// What a rule must find (severity and words of the sentence or of the remedy) and in what; nil if nothing.
  private struct Case: Sendable, CustomTestStringConvertible {
    let rule: DiagnosisRule
    let about: String
    let evidence: Evidence
    let severity: Finding.Severity?
    let words: [String]
    var testDescription: String { "\(rule.name): \(about)" }

    init(
      _ rule: DiagnosisRule, _ about: String, _ evidence: Evidence, _ severity: Finding.Severity?, _ words: String...
    ) {
      (self.rule, self.about, self.evidence, self.severity, self.words) = (rule, about, evidence, severity, words)
    }
  }

  private static let path: [Case] = [
    Case(
      .noDaemon, "no daemon, session up", changed(healthy()) { $0.daemon = .silent("no socket") }, .warning,
      "cannot be asked", "systemctl start iscsi-admin"),
    Case(
      .noDaemon, "no daemon, session lost", changed(lost()) { $0.daemon = .silent("no socket") }, .problem, "no socket"),
    Case(.noDaemon, "not supervised", changed(lost()) { $0.daemon = .unconcerned }, .problem, "does not supervise"),
    Case(.noDaemon, "nobody asked", changed(healthy()) { $0.daemon = nil }, nil),
    Case(
      .linkDown, "no cable",
      changed(lost()) { $0.way = .through(device: "eth0", .noCarrier(LinkFault(state: "no cable"))) }, .problem,
      "eth0, is without carrier (no cable)", "ethtool eth0"),
    Case(
      .linkDown, "switched off", changed(lost()) { $0.way = .through(device: "eth0", .administrativelyDown) }, .problem,
      "ip link set eth0 up"),
    Case(
      .linkDown, "not noticed yet", changed(healthy()) { $0.way = .through(device: "eth0", .noCarrier(nil)) }, .warning,
      "without carrier"),
    Case(
      .linkDown, "a name for a shell", changed(lost()) { $0.way = .through(device: "a;b", .administrativelyDown) },
      .problem, "ip link set 'a;b' up"),
    Case(
      .linkDown, "missing", changed(lost()) { $0.way = .through(device: "eth0", .noSuchDevice) }, .problem,
      "eth0, is missing", "ip link set OTHER name eth0"),
    Case(.linkDown, "not known", changed(lost()) { $0.way = nil }, nil),
    Case(
      .noRoute, "none", changed(lost()) { $0.way = Evidence.Way.none }, .problem, "no route to 10.0.0.1",
      "ip route add 10.0.0.1 via ROUTER"
    ),
    Case(
      .noRoute, "gone with its device",
      changed(lost { $0.network = "eth0 is administratively down" }) { $0.way = Evidence.Way.none }, .problem,
      "no route to 10.0.0.1: eth0 is administratively down", "ip link set DEVICE up"),
    Case(.noRoute, "one", lost(), nil),
    Case(
      .portalRefuses, "refused", changed(lost()) { $0.probe = .failed(.refused) }, .problem,
      "nothing listens at 10.0.0.1:3260", "iscsi-admin discover"),
    Case(.portalRefuses, "timed out", changed(lost()) { $0.probe = .failed(.timedOut) }, nil),
    Case(
      .portalSilent, "timed out", changed(lost()) { $0.probe = .failed(.timedOut) }, .problem, "no answer in time",
      "pass TCP port 3260", "ping -c 3 10.0.0.1"),
    Case(
      .portalSilent, "no way there",
      changed(lost()) { evidence in
        evidence.probe = .failed(.unreachable(.noRouteToHost))
        evidence.way = .through(device: "eth0", .noCarrier(nil))
      }, nil),
    Case(
      .portalSilent, "no route",
      changed(lost()) { evidence in
        evidence.probe = .failed(.unreachable(.networkUnreachable))
        evidence.way = Evidence.Way.none
      }, nil),
    Case(.portalSilent, "refused", changed(lost()) { $0.probe = .failed(.refused) }, nil),
    Case(
      .mtu, "smaller on the way",
      changed(healthy()) { $0.way = .through(device: "eth0", .up, mtu: 9000, pathMTU: 1500) },
      .warning, "smaller packets than eth0", "ping -c 3 -M do -s 8972 10.0.0.1"),
    Case(
      .mtu, "smaller on the way to a name that is an IPv6 address", onNarrowWay(to: "2001:db8::1"),
      .warning, "smaller packets than eth0", "ping -6 -c 3 -M do -s 8952 san"),
    Case(
      .mtu, "smaller on the way to a name that is an IPv4 address", onNarrowWay(to: "10.0.0.1"),
      .warning, "smaller packets than eth0", "ping -4 -c 3 -M do -s 8972 san"),
    Case(
      .mtu, "smaller on the way to an IPv6 address",
      changed(healthy()) {
        $0.portal = try? Portal("2001:db8::1")
        $0.way = .through(device: "eth0", .up, mtu: 9000, pathMTU: 1500)
      },
      .warning, "smaller packets than eth0", "ping -c 3 -M do -s 8952 2001:db8::1"),
    Case(
      .mtu, "jumbo frames, and the target fell silent",
      changed(lost(nil) { $0.kernelError = 1022 }) { $0.way = .through(device: "eth0", .up, mtu: 9000) }, .note,
      "packets of 9000 octets may be lost"),
    Case(
      .mtu, "jumbo frames, and the target closed",
      changed(lost()) { $0.way = .through(device: "eth0", .up, mtu: 9000) },
      nil),
    Case(.mtu, "ordinary frames", lost(nil) { $0.kernelError = 1022 }, nil),
  ]

  private static let login: [Case] = [
    Case(
      .chapWrong, "0201", lost(failure("authentication failed (0201)", .authentication, 0x0201)), .problem,
      "authentication fails: authentication failed (0201)", "iscsi-admin node set iqn."),
    Case(
      .chapWrong, "the target did not prove itself", lost(failure("wrong response", .authentication)), .problem,
      "wrong response"),
    Case(.chapWrong, "0202", lost(failure("not allowed (0202)", .authentication, 0x0202)), nil),
    Case(
      .chapWrong, "an older outage",
      changed(healthy()) { evidence in
        evidence.daemon = lost(failure("x", .authentication, 0x0201)).daemon
      }, nil),
    Case(
      .chapWrong, "a name that is none",
      changed(lost(failure("x", .authentication, 0x0201))) { $0.target = "iqn.x; reboot" }, .problem, "fails"),
    Case(
      .notAllowed, "0202", lost(failure("not allowed (0202)", .authentication, 0x0202)), .problem,
      "let this initiator in",
      "access list"),
    Case(.notAllowed, "0201", lost(failure("x", .authentication, 0x0201)), nil),
    Case(
      .loginRefused, "0301", lost(failure("service unavailable (0301)", .login, 0x0301)), .problem,
      "10.0.0.1:3260 takes connections", "with status 0301"),
    Case(
      .loginRefused, "0203", lost(failure("no such target (0203)", .fatalLogin, 0x0203)), .problem, "0203",
      "iscsi-admin discover 10.0.0.1:3260 --save"),
    Case(
      .loginRefused, "no answer", lost(failure("no Login Response in time", .pduTimeout)), .problem, "no Login Response"
    ),
    Case(.loginRefused, "authentication", lost(failure("x", .authentication, 0x0201)), nil),
    Case(.loginRefused, "no connection", lost(failure("connection refused", .transport)), nil),
    Case(
      .loginRefused, "the portal is away by now",
      changed(lost(failure("x", .login, 0x0301))) { $0.probe = .failed(.refused) }, nil),
    Case(
      .noSession, "a record", Evidence(target: "iqn.2026-11.org.example:x", portal: otherPortal, now: now), .problem,
      "there is no session", "iscsi-admin login iqn.2026-11.org.example:x"),
    Case(
      .noSession, "a path that nobody logs in to", path(isAutomatic: false), .note, "a path is missing", "session 1"),
    Case(.noSession, "a path that is to be there", path(isAutomatic: true), .problem, "a path is missing"),
    Case(.noSession, "a session", healthy(), nil),
  ]

  private static let state: [Case] = [
    Case(
      .errorHandler, "at work", session { $0.host?.state = "recovery" }, .problem, "SCSI error handling",
      "is in state recovery", "sd1 gives a command 30 s"),
    Case(.errorHandler, "idle", healthy(), nil),
    Case(
      .targetSilent, "for seven seconds", silent(now - 7), .warning, "10.0.0.1:3260 answers nothing",
      "the last answer came 7 s ago", "waits for 5 s"),
    Case(.targetSilent, "it answers", silent(nil), nil),
    Case(
      .ioStuck, "NOP-Outs are off", stuck(0), .warning, "I/O of sd1 does not end", "3 requests are with sd1",
      "begins when a command has waited for 30 s", "iscsi-admin set 1 noop-interval=5 noop-timeout=5"),
    Case(
      .ioStuck, "NOP-Outs are not sent yet", stuck(5, isIdle: true), .warning, "starts their timer with a login",
      "look at the target"),
    Case(
      .ioStuck, "a disk that NOP-Outs are off for with good reason",
      changed(stuck(0)) { $0.devices[0].uses = [DeviceUse(disk: "sd1", through: [], .swap)] }, .warning,
      "look at the target"),
    Case(.ioStuck, "NOP-Outs tell", stuck(5), nil),
    Case(.ioStuck, "I/O ends", session { $0.connection?.noopInterval = 0 }, nil),
    Case(.ioStuck, "error handling is at work", changed(stuck(0)) { $0.session?.host?.state = "recovery" }, nil),
    Case(
      .logoutWaits, "the target is slow", leaving(since: now - 60), .note, "waits for the target",
      "the removal of the disks began 60 s ago", "/proc/meminfo"),
    Case(
      .logoutWaits, "the target is gone",
      leaving(since: now - 60) { evidence in
        evidence.session?.state = .failed
      }, .warning, "will be lost"),
    Case(.logoutWaits, "it has just begun", leaving(since: now - 1), nil),
    Case(.logoutWaits, "the disks are gone", leaving(since: nil), nil),
    Case(
      .ioFails, "the timeout ran out",
      changed(lost(nil) { $0.deadline = now - 7 }) { evidence in
        evidence.session?.state = .free
      }, .problem, "for longer than its replacement timeout", "I/O fails since 7 s ago"),
    Case(
      .ioFails, "another timeout was set since",
      changed(
        lost(nil) {
          $0.replacementTimeout = 3; $0.deadline = now - 7
        }
      ) { evidence in
        evidence.session?.state = .free
        evidence.session?.replacementTimeout = -1
      }, .problem, "the replacement timeout was 3 s at the loss"),
    Case(
      .ioFails, "that of the loss is not known",
      changed(
        lost(nil) {
          $0.replacementTimeout = nil; $0.deadline = nil
        }
      ) { evidence in
        evidence.session?.state = .free
        evidence.session?.replacementTimeout = -1
      }, .problem, "the replacement timeout is off (I/O waits for ever) now"),
    Case(.ioFails, "it runs", lost(), nil),
    Case(
      .devicesOffline, "one", changed(healthy()) { $0.devices[0].snapshot.state = "offline" }, .problem,
      "sd1 is offline",
      "iscsi-admin session rescan 1"),
    Case(.devicesOffline, "lost", changed(lost()) { $0.devices[0].snapshot.state = "offline" }, nil),
    Case(
      .retryClock, "waiting", lost(failure("connection refused", .transport)), .note,
      "3 attempts so far, the next is due in 2 s", "I/O waits, and begins to fail in 110 s", "connection refused"),
    Case(.retryClock, "the first", lost(nil) { $0.attempts = 1 }, .note, ": 1 attempt so far"),
    Case(
      .retryClock, "under way, for ever",
      lost(nil) {
        $0.nextAttempt = nil; $0.deadline = nil; $0.replacementTimeout = -1
      }, .note, "one is under way", "I/O waits for ever"),
    Case(.retryClock, "up", healthy(), nil),
    Case(
      .reinstated, "four times",
      changed(healthy()) { evidence in
        evidence.losses = [500, 300, 200, 1].map { Evidence.Loss(time: now - $0, kernelError: 1020) }
      }, .warning, "closed the connection 4 times in the last 10 minutes", "iscsi-admin initiator-name"),
    Case(
      .reinstated, "long ago",
      changed(healthy()) { evidence in
        evidence.losses = [900, 800, 700, 1].map { Evidence.Loss(time: now - $0, kernelError: 1020) }
      }, nil),
    Case(
      .reinstated, "for other reasons",
      changed(healthy()) { evidence in
        evidence.losses = [4, 3, 2, 1].map { Evidence.Loss(time: now - $0, kernelError: 1022) }
      }, nil),
    Case(
      .duplicate, "an older twin", changed(healthy()) { $0.others = [twin(0)] }, .warning,
      "session 0 is to the same target", "iscsi-admin logout 1"),
    Case(
      .duplicate, "an older twin of one in use",
      changed(used(120, 5, .mounted(at: "/srv"))) { $0.others = [twin(0)] }, .warning, "let go of this session's disks"),
    Case(
      .duplicate, "as many as are wanted",
      changed(healthy()) {
        $0.others = [twin(0)]
        $0.sessionCount = 2
      }, nil),
    Case(
      .duplicate, "one more than are wanted",
      changed(healthy()) {
        $0.session?.id = SessionID(rawValue: 2)
        $0.others = [twin(0), twin(1)]
        $0.sessionCount = 2
      }, .warning, "2 such sessions are wanted", "iscsi-admin logout 2"),
    Case(.duplicate, "a younger twin", changed(healthy()) { $0.others = [twin(2)] }, nil),
    Case(
      .duplicate, "another interface",
      changed(healthy()) { evidence in
        var other = twin(2)
        other.interfaceName = "storage"
        evidence.others = [other]
      }, nil),
  ]

  private static let settings: [Case] = [
    Case(
      .checkOffOnMultipath, "off", onMultipath(5, 0, nil), .warning, "NOP-Outs are off", "tune --profile multipath 1"),
    Case(.checkOffOnMultipath, "on", onMultipath(5, 5, nil), nil),
    Case(.checkOffOnMultipath, "no multipath", session { $0.connection?.noopInterval = 0 }, nil),
    Case(
      .checkOnRoot, "root", used(86400, 5, .mounted(at: "/")), .warning, "cannot do without",
      "tune --profile diskless 1"),
    Case(.checkOnRoot, "swap", used(86400, 5, .swap), .warning, "swap space"),
    Case(.checkOnRoot, "off", used(86400, 0, .swap), nil),
    Case(.checkOnRoot, "another mount", used(86400, 5, .mounted(at: "/srv")), nil),
    Case(
      .shortWaitOfRoot, "short", used(120, 0, .mounted(at: "/")), .warning, "after an outage of 120 s",
      "tune --profile diskless 1"),
    Case(.shortWaitOfRoot, "for ever", used(-1, 0, .mounted(at: "/")), nil),
    Case(.shortWaitOfRoot, "long", used(86400, 0, .mounted(at: "/")), nil),
    Case(
      .longWaitOnMultipath, "long", onMultipath(120, 5, nil), .warning, "waits 120 s before multipath",
      "tune --profile multipath 1"),
    Case(.longWaitOnMultipath, "for ever", onMultipath(-1, 5, nil), .warning, "for ever"),
    Case(.longWaitOnMultipath, "short", onMultipath(5, 5, nil), nil),
    Case(
      .shortWaitWithoutMultipath, "short", session { $0.replacementTimeout = 5 }, .warning, "no multipath",
      "iscsi-admin set 1 replacement-timeout=120"),
    Case(.shortWaitWithoutMultipath, "long", session { $0.replacementTimeout = 120 }, nil),
    Case(.shortWaitWithoutMultipath, "multipath", onMultipath(5, 5, nil), nil),
    Case(.queueing, "queues", onMultipath(5, 5, true), .note, "mpatha queues I/O", "waits 5 s before that"),
    Case(.queueing, "fails", onMultipath(5, 5, false), .note, "fails when the last path has waited 5 s"),
    Case(.queueing, "not known", onMultipath(5, 5, nil), nil),
    Case(
      .queueing, "fails, and nobody knows when",
      changed(onMultipath(5, 5, false)) { $0.session?.replacementTimeout = nil }, .note,
      "fails when the replacement timeout of the last path is over"),
    Case(
      .deviceTimeout, "short",
      session {
        $0.abortTimeout = 15; $0.luResetTimeout = 40
      }, .note,
      "a command to sd1 may take 30 s", ": 70 s", "iscsi-admin set 1 device-timeout=70"),
    Case(
      .deviceTimeout, "the reset of the target alone is long", session { $0.targetResetTimeout = 30 }, .note, ": 45 s",
      "device-timeout=45"),
    Case(
      .deviceTimeout, "as it comes",
      session {
        $0.abortTimeout = 15; $0.luResetTimeout = 30; $0.targetResetTimeout = 30
      }, nil),
    Case(.deviceTimeout, "long", healthy(), nil),
    Case(
      .idleCheck, "switched on again", watched(isIdle: true), .warning, "the kernel may send none",
      "log out and in again"),
    Case(.idleCheck, "sent", watched(isIdle: false), nil),
    Case(
      .idleCheck, "off again", changed(watched(isIdle: true)) { $0.session?.connection?.noopInterval = 0 }, nil),
    Case(
      .halfCheck, "no timeout", session { $0.connection?.noopTimeout = 0 }, .warning, "checks nothing", "timeout off"),
    Case(
      .halfCheck, "all off",
      session {
        $0.connection?.noopTimeout = 0; $0.connection?.noopInterval = 0
      }, nil),
    Case(
      .slowCheck, "slow",
      session {
        $0.connection?.noopTimeout = 20; $0.connection?.noopInterval = 10
      }, .warning,
      "times out before a NOP-Out", "noop-interval=5 noop-timeout=5"),
    Case(
      .slowCheck, "the defaults, and a quick disk", quick(10), .warning, "may take 10 s",
      "iscsi-admin set 1 noop-interval=4 noop-timeout=5"),
    Case(
      .slowCheck, "a disk that is quicker than any check", quick(2), .warning, "iscsi-admin set 1 device-timeout=30"),
    Case(.slowCheck, "quick", healthy(), nil),
  ]

  @Test("finds what it is for, and nothing else", arguments: path + login + state + settings)
  private func finds(_ example: Case) {
    let findings = example.rule.findings(in: example.evidence)
    #expect(findings.map(\.severity) == (example.severity.map { [$0] } ?? []))
    for finding in findings {
      #expect(finding.rule == example.rule.name)
      let command: String? =
        switch finding.remedy {
        case .command(let text, _)?, .advice(let text)?: text
        case nil: nil
        }
      let all = ([finding.what, command ?? ""] + finding.evidence).joined(separator: "\n")
      for word in example.words { #expect(all.contains(word)) }
      #expect(!finding.evidence.isEmpty && !finding.what.hasSuffix("."))
      #expect(command?.contains("; reboot") != true)
    }
  }

  @Test("A healthy session has nothing the matter, and every rule has a name of its own and is tried here")
  func completeness() {
    #expect(Self.healthy().findings == [])
    let names = DiagnosisRule.all.map(\.name)
    #expect(Set(names).count == names.count)
    let cases = Self.path + Self.login + Self.state + Self.settings
    for name in names {
      #expect(cases.contains { $0.rule.name == name && $0.severity != nil }, "\(name)")
      #expect(cases.contains { $0.rule.name == name && $0.severity == nil }, "\(name)")
    }
  }

  @Test("What a remedy of too slow NOP-Outs sets is not too slow", arguments: 3...60 as ClosedRange<UInt32>)
  func slowCheckIsMended(seconds: UInt32) throws {
    var evidence = Self.changed(Self.quick(seconds)) { $0.session?.connection?.noopTimeout = 60 }
    let finding = try #require(DiagnosisRule.slowCheck.findings(in: evidence).first)
    guard case .command(let text, _)? = finding.remedy else { throw SettingRefusal.unknown("remedy") }
    for setting in text.split(separator: " ").dropFirst(3) {
      let parts = setting.split(separator: "=")
      let value = try #require(UInt32(parts[1]))
      #expect(value > 0)
      if parts[0] == "noop-interval" { evidence.session?.connection?.noopInterval = value }
      if parts[0] == "noop-timeout" { evidence.session?.connection?.noopTimeout = value }
    }
    #expect(DiagnosisRule.slowCheck.findings(in: evidence) == [])
  }

  @Test("The worst comes first, and the same evidence gives the same findings")
  func order() {
    var evidence = Self.lost(Self.failure("authentication failed (0201)", .authentication, 0x0201))
    evidence.session?.connection?.noopTimeout = 0
    let findings = evidence.findings
    #expect(findings.map(\.rule) == ["chap-wrong", "noop-half-off", "retry-clock"])
    #expect(findings == evidence.findings)
  }
}
