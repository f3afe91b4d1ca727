// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Synchronization
import Testing

@testable import IscsiKit

@Suite("Signals that end the process", .timeLimit(.minutes(1)))
struct TerminationSignalsTests {
  /// Signals that a test sends, and what comes of them.
  private final class Script: Sendable {
    private struct State {
      var signals: [Int32] = []
      var waits = 0
      var told: [String] = []
    }
    private let state = Mutex(State())
    private let sent = DispatchSemaphore(value: 0)

    /// How often a signal was waited for.
    var waits: Int { state.withLock { $0.waits } }
    var told: [String] { state.withLock { $0.told } }

    func tell(_ what: String) { state.withLock { $0.told.append(what) } }

    /// Waits as `sigwait` does.
    func wait() -> Int32 {
      state.withLock { $0.waits += 1 }
      sent.wait()
      return state.withLock { $0.signals.removeFirst() }
    }

    /// Sends a signal and waits until it is dealt with: then the next one is waited for.
    func send(_ signal: Int32) async {
      let before = waits
      state.withLock { $0.signals.append(signal) }
      sent.signal()
      #expect(await eventually { waits > before })
    }

    /// Signals of this script whose first waiter waits.
    func signals() async -> TerminationSignals {
      let signals = TerminationSignals(wait: { self.wait() }, end: { self.tell("end \($0)") })
      signals.clear(signals.set { self.tell("of the past") })
      #expect(await eventually { waits == 1 })
      return signals
    }
  }

  @Test("The first signal is that of the work under way, also after other work is over; the second ends the process")
  func works() async {
    let script = Script()
    let signals = await script.signals()
    let handler = signals.set { script.tell("cancelled") }
    await script.send(15)
    #expect(script.told == ["cancelled"])
    await script.send(2)
    #expect(script.told == ["cancelled", "end 130"])
    signals.clear(handler)
  }

  @Test("Between two works the first signal ends the process")
  func between() async {
    let script = Script()
    let signals = await script.signals()
    await script.send(15)
    #expect(script.told == ["end 143"])
    // The process is gone by now; what is here is no first signal any more.
    _ = signals.set { script.tell("cancelled") }
    await script.send(2)
    #expect(script.told == ["end 143", "end 130"])
  }

  @Test("Works side by side are told of one signal all")
  func together() async {
    let script = Script()
    let signals = await script.signals()
    let first = signals.set { script.tell("first") }
    let second = signals.set { script.tell("second") }
    let third = signals.set { script.tell("third") }
    signals.clear(second)
    signals.clear(second)
    await script.send(2)
    #expect(script.told.sorted() == ["first", "third"])
    [first, third].forEach(signals.clear)
  }

  @Test("One thread waits, however many handlers come and go")
  func oneThread() async {
    let script = Script()
    let signals = await script.signals()
    for _ in 0..<100 { signals.clear(signals.set {}) }
    await script.send(15)
    #expect(script.waits == 2)
  }

  @Test("A program that leaves nothing half made ends at each signal, whatever is under way")
  func atOnce() async {
    let script = Script()
    let signals = await script.signals()
    signals.endAtOnce { script.tell("at once \($0)") }
    let handler = signals.set { script.tell("cancelled") }
    await script.send(2)
    await script.send(15)
    #expect(script.told == ["at once 2", "at once 15"])
    signals.clear(handler)
  }
}
