// SPDX-License-Identifier: Apache-2.0
import IscsiKit
import Testing

@testable import iscsi_admin

@Suite("Progress of logins")
struct LoginTallyTests {
  private let one = "login to iqn.2026-11.org.example:disk1 at san:3260"

  @Test("Nothing is said in the first second, then after 1, 2, 4, 8 seconds")
  func schedule() {
    var tally = LoginTally([one])
    let said = stride(from: 100, through: 10_000, by: 100).filter { tally.line(after: .milliseconds($0)) != nil }
    #expect(said == [1000, 2000, 4000, 8000])
  }

  @Test("A line that comes late is said once")
  func late() {
    var tally = LoginTally([one])
    #expect(tally.line(after: .milliseconds(5500)) == "\(one): connecting (5 s)")
    #expect(tally.line(after: .milliseconds(7900)) == nil)
    #expect(tally.due == .seconds(8))
  }

  @Test("One login tells its step, but not that it has ended: how it did is told next", arguments: LoginStep.allCases)
  func single(step: LoginStep) {
    var tally = LoginTally([one])
    tally.note(0, step)
    #expect(tally.line(after: .seconds(1)) == (step == .end ? nil : "\(one): \(step.rawValue) (1 s)"))
  }

  @Test("Many logins tell how many ended, what the others do, and how many wait")
  func many() {
    var tally = LoginTally((1...100).map { "login \($0)" })
    #expect(tally.line(after: .seconds(1)) == "0 of 100 logins ended, 100 to begin (1 s)")
    for index in 0..<40 { tally.note(index, .connect) }
    for index in 0..<15 { tally.note(index, .end) }
    for index in 15..<18 { tally.note(index, .scan) }
    tally.note(18, .negotiate)
    #expect(
      tally.line(after: .seconds(2))
        == "15 of 100 logins ended, 21 connecting, 1 negotiating, 3 scanning, 60 to begin (2 s)")
  }

  @Test("The login that all others wait for has its name told")
  func last() {
    var tally = LoginTally(["login 1", "login 2", "login 3"])
    for (index, step) in [LoginStep.end, .scan, .end].enumerated() { tally.note(index, step) }
    #expect(tally.line(after: .seconds(4)) == "2 of 3 logins ended, login 2: scanning (4 s)")
  }

  @Test("No logins and steps of unknown logins are passed over")
  func odd() {
    var tally = LoginTally([])
    tally.note(3, .scan)
    #expect(tally.line(after: .seconds(9)) == nil)
    #expect(tally.due == .seconds(16))
  }
}
