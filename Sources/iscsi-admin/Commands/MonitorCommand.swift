// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FoundationEssentials
import IscsiKit
import SystemPackage

/// `iscsi-admin monitor`.
struct MonitorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "monitor",
    abstract: "Tell what happens to sessions, as it happens.",
    discussion: """
      Goes on over restarts of the daemon, until it is ended. With --json each event is one line with one object; its \
      number can be given to --after to go on from there, also after the daemon was started anew. What cannot be told any \
      more is told to be missed.
      """)

  @Flag(help: "Print JSON.")
  var json = false

  @Option(help: ArgumentHelp("Begin behind the event of this number, as far as it is kept.", valueName: "n"))
  var after: UInt64?

  @OptionGroup var daemon: DaemonOptions

  func run() throws { try EventLines(initiator: daemon.initiator, after: after, isJSON: json).print() }
}

/// The daemon's events as lines on standard output, until a signal ends it or nobody listens any more.
struct EventLines: Sendable {
  let initiator: Initiator
  /// The number of the last event that is known; nil begins with the next one.
  var after: UInt64?
  /// Whether a line is JSON, or for people.
  let isJSON: Bool

  /// Prints them.
  func print() throws {
    do {
      try runBlocking {
        // It is waited for, but not in silence.
        do { _ = try await initiator.ping() } catch let error as InitiatorError
          where error.exitStatus == .daemonNotConnected
        {
          StandardError.warn("\(error); waiting for it\(error.advice.map { " (\($0))" } ?? "")")
        }
        for try await event in initiator.events(after: after) {
          let line = isJSON ? try eventLine(event) : eventText(event)
          // Whoever listens no more ends this.
          guard (try? FileDescriptor.standardOutput.writeText(line + "\n")) != nil else { return }
        }
      }
    } catch InitiatorError.daemon(.cancelled) {
      // A signal is how this ends.
      return
    } catch let error as InitiatorError {
      var output = CommandOutput()
      output.fail(error)
      try output.emit()
    }
  }
}

/// An event as one line of JSON.
func eventLine(_ event: InitiatorTypes.Event) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  return String(decoding: try encoder.encode(event), as: UTF8.self)
}

/// An event for people: time, session, target and what happened.
func eventText(_ event: InitiatorTypes.Event) -> String {
  var subject = event.session.map { "session \($0)" } ?? "-"
  if let target = event.target, let text = event.portal {
    let portal = (try? Portal(text))?.address ?? text
    subject += " \(target.printable) at \(portal.printable)"
  }
  return "\(clockText(event.time)) \(subject): \(event.message.printable)"
}

/// Date and time of day, UTC, to the millisecond.
func clockText(_ time: Double) -> String {
  // What a daemon tells may be no time of any calendar.
  let time = time.isFinite ? min(max(0, time), 253_402_300_799) : 0
  return Date(timeIntervalSince1970: time).formatted(
    .iso8601.year().month().day().time(includingFractionalSeconds: true))
    + "Z"
}
