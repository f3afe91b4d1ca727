// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Glibc
import IscsiKit
import Synchronization
import SystemPackage

/// `iscsi-admin watch`.
struct WatchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch", abstract: "Show the sessions as they are from second to second.",
    discussion: """
      On a terminal it draws a table anew each second and with each event: what each session goes through, what becomes of \
      I/O, how much of it there is, and how often the session was recovered. Elsewhere it prints a line for each \
      session, another one whenever that changes, and a line for each event. With --json it is monitor --json: each event \
      is one line with one object, and its number can be given to --after. It goes on until it is ended.
      """)

  @Flag(help: "Print JSON.")
  var json = false

  @Option(help: ArgumentHelp("Begin behind the event of this number, as far as it is kept.", valueName: "n"))
  var after: UInt64?

  @OptionGroup var location: SysfsLocation
  @OptionGroup var daemon: DaemonOptions

  func validate() throws {
    if after != nil, !json { throw ValidationError("--after is for --json") }
  }

  func run() throws {
    if json { return try EventLines(initiator: daemon.initiator, after: after, isJSON: true).print() }
    // A terminal on a serial line has no size that anybody has told it, and is one all the same.
    let (sysfs, initiator, isTerminal) = (location.sysfs, daemon.initiator, isatty(STDOUT_FILENO) == 1)
    do {
      // A signal is how this ends; nothing of the terminal has to be put back.
      try runBlocking { try await Watch(sysfs: sysfs, initiator: initiator, isLive: isTerminal).run() }
    } catch let error as any DiagnosableError {
      var output = CommandOutput()
      output.fail(error)
      try output.emit()
    }
  }
}

/// Looks at the sessions again and again, and shows what it finds.
private struct Watch: Sendable {
  let sysfs: Sysfs
  let initiator: Initiator
  /// Whether it is shown on a terminal.
  let isLive: Bool

  private static let interval = Duration.seconds(1)

  func run() async throws {
    let events = WaitingEvents()
    // One that waits is enough: whoever takes it looks at all that has happened until then.
    let (wakes, wake) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    let listening = Task {
      // Whoever may not ask the daemon sees what the kernel shows.
      while !Task.isCancelled {
        do {
          for try await event in initiator.events() {
            events.add(event)
            wake.yield()
          }
        } catch { break }
      }
    }
    let ticking = Task {
      while (try? await Reactor.shared.sleep(until: .now + Self.interval)) != nil { wake.yield() }
      wake.finish()
    }
    defer {
      listening.cancel()
      ticking.cancel()
    }
    try await withTaskCancellationHandler {
      try await show(events, wakes)
    } onCancel: {
      wake.finish()
    }
  }

  private func show(_ events: WaitingEvents, _ wakes: AsyncStream<Void>) async throws {
    var view = WatchView()
    var screen = LiveScreen()
    var isOpen = true
    var wakes = wakes.makeAsyncIterator()
    view.note(try await survey())
    repeat {
      if isLive {
        let terminal = Terminal.standardOutput
        isOpen = write(screen.draw(view.page(for: terminal), on: .standardOutput))
      } else {
        isOpen = write(view.takeLines().map { $0 + "\n" }.joined())
      }
      guard isOpen, await wakes.next() != nil else { break }
      for event in events.take() { view.note(event) }
      view.note(try await survey())
    } while !Task.isCancelled
  }

  private func survey() async throws -> SessionSurvey {
    try await SessionSurvey.take(of: sysfs, asking: initiator, patience: .seconds(2))
  }

  /// Whether somebody took the text.
  private func write(_ text: String) -> Bool {
    text.isEmpty || (try? FileDescriptor.standardOutput.writeText(text)) != nil
  }
}

/// Events that have come and nobody has looked at: a look asks the kernel about each session, and is one for all of them.
final class WaitingEvents: Sendable {
  /// More than are ever shown or printed of one look.
  private static let limit = 1024

  private let events = Mutex<[InitiatorTypes.Event]>([])

  /// Adds one; of more than can wait the oldest goes.
  func add(_ event: InitiatorTypes.Event) {
    events.withLock { events in
      if events.count == Self.limit { events.removeFirst() }
      events.append(event)
    }
  }

  /// Takes all that wait, in the order of their coming.
  func take() -> [InitiatorTypes.Event] {
    events.withLock { events in
      defer { events = [] }
      return events
    }
  }
}
