// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import IscsiKit

/// What happens to kernel, network and supervisor.
extension SupervisionModel {
  /// The kernel reports an event once, if memory is there for it.
  func isReported(_ generator: inout SeededGenerator) -> Bool { Int.random(in: 0..<4, using: &generator) > 0 }

  /// The connection fails, or something old is told of it. The kernel stops it by itself; the driver's value does not know it yet.
  mutating func lose(_ generator: inout SeededGenerator) {
    let code = [KernelErrorCode.connectionClosed, .noopTimedOut, .sessionReset].randomElement(using: &generator)
    guard kernel == .up else { return handle(.connectionFailed(code ?? .connectionClosed)) }
    kernel = .dead
    if isReported(&generator) { handle(.connectionFailed(code ?? .connectionClosed)) }
  }

  /// Now and then a connection fails between the start and its answer.
  mutating func loseAtOnce(_ generator: inout SeededGenerator) {
    guard Int.random(in: 0..<10, using: &generator) == 0 else { return }
    kernel = .dead
    // What is told now is told of a login that is still under way.
    if isReported(&generator) { _ = machine.handle(.connectionFailed(.connectionClosed), at: now) }
  }

  /// The manager's look at all sessions that are up.
  mutating func look() {
    nextLook = now + Self.lookPace
    if machine.isUp, kernel.shown != .up { handle(.observed(kernel.shown)) }
  }

  /// How far the login that is under way has come.
  func connecting(_ generator: inout SeededGenerator) -> SessionMachine.ConnectProgress {
    guard underWay == .logIn || underWay == .relogIn else { return .notBegun }
    let age = Duration.milliseconds(Int.random(in: 0...4000, using: &generator))
    return [.notBegun, .connected, .pending(since: now - age)].randomElement(using: &generator) ?? .notBegun
  }

  /// The supervisor dies, whatever is under way, and the next one takes up what sysfs shows, as the manager does.
  mutating func restart(seed: UInt64) {
    guard kernel != .nothing, record.stage != .made else { return }
    let isConnected = kernel.shown == .up
    let state: SessionMachine.AdoptedState =
      record.stage == .leaving
      ? .leaving(isConnected: isConnected, isUnbound: areDevicesRemoved)
      : isConnected ? .up(isScanned: true) : .failed
    machine = SessionMachine(portal: MachineHarness.home, policy: machine.policy, seed: seed, outage: record.outage)
    supervision = Supervision(portal: MachineHarness.home)
    (underWay, isCancelled, devicesRemovals) = (nil, false, 0)
    (isToldSilent, toldNetwork, ignorantSince) = (false, nil, nil)
    timerTimeout = record.outage?.replacementTimeout
    // What it has not got by now is not told it.
    handle(.adopt(state))
  }
}
