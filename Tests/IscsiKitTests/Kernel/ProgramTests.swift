// SPDX-License-Identifier: Apache-2.0
import Dispatch
import SystemPackage
import Testing

@testable import IscsiKit

@Suite("Programs", .timeLimit(.minutes(1)))
struct ProgramTests {
  @Test("One that closes its output and goes on is killed at the deadline")
  func silent() {
    let start = ContinuousClock.now
    #expect(throws: ProgramError.timedOut) {
      try Program(["/bin/sh", "-c", "exec >&- 2>&-; exec sleep 30"]).run(until: .now + .milliseconds(300))
    }
    #expect(start.duration(to: .now) < .seconds(20))
  }

  @Test("One that closes its output and goes on can be stopped")
  func stopped() throws {
    let stop = ProgramStop()
    DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(200)) { stop.stop() }
    let outcome = try Program(["/bin/sh", "-c", "exec >&- 2>&-; exec sleep 30"]).run(until: .now + .seconds(25), stop)
    #expect(outcome.status == 128 + 9)
  }

  @Test("Its exit code is told, also if it takes a moment after its output")
  func status() throws {
    let late = try Program(["/bin/sh", "-c", "echo x; exec >&- 2>&-; sleep 0.2; exit 7"]).run(
      until: .now + .seconds(20))
    #expect(late.status == 7 && late.output == Array("x\n".utf8))
  }
}
