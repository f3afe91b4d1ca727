// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Glibc
import IscsiKit
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

  private enum Wake: Sendable {
    case tick
    case event(InitiatorTypes.Event)
  }

  func run() async throws {
    let (wakes, wake) = AsyncStream<Wake>.makeStream(bufferingPolicy: .bufferingNewest(256))
    let listening = Task {
      // Whoever may not ask the daemon sees what the kernel shows.
      while !Task.isCancelled {
        do { for try await event in initiator.events() { wake.yield(.event(event)) } } catch { break }
      }
    }
    let ticking = Task {
      while (try? await Reactor.shared.sleep(until: .now + Self.interval)) != nil { wake.yield(.tick) }
      wake.finish()
    }
    defer {
      listening.cancel()
      ticking.cancel()
    }
    try await withTaskCancellationHandler {
      try await show(wakes)
    } onCancel: {
      wake.finish()
    }
  }

  private func show(_ wakes: AsyncStream<Wake>) async throws {
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
      guard isOpen, let wake = await wakes.next() else { break }
      if case .event(let event) = wake { view.note(event) }
      view.note(try await survey())
    } while !Task.isCancelled
  }

  private func survey() async throws -> SessionSurvey {
    try await SessionSurvey.take(of: sysfs, asking: initiator, patience: .seconds(2))
  }

  /// Whether somebody took the text.
  private func write(_ text: String) -> Bool {
    text.isEmpty || (try? FileDescriptor.standardOutput.writeAll(text.utf8)) != nil
  }
}
