// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit
import SystemPackage

/// `iscsi-admin metrics`.
struct MetricsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "metrics", abstract: "Tell what monitoring wants to know of the sessions.",
    discussion: """
      Prints metrics in OpenMetrics' text form; with --output in the older form of Prometheus, which is the one that \
      node_exporter's textfile collector reads. With --listen it answers GET /metrics until it is ended, to each client in \
      the form that it asks for. Works without the daemon with what the kernel shows.
      """)

  @Option(
    help: ArgumentHelp("Write this file, as a whole or not at all.", valueName: "file"), completion: .file(),
    transform: { FilePath($0) })
  var output: FilePath?

  @Option(
    help: ArgumentHelp(
      "Serve metrics at unix:/path or a loopback address, such as 127.0.0.1:9860.", valueName: "address"),
    transform: { try ListenAddress($0) })
  var listen: ListenAddress?

  @Option(
    help: ArgumentHelp("The form: openmetrics or prometheus.", valueName: "form"),
    completion: .list(MetricFormat.allCases.map(\.rawValue)), transform: parseMetricFormat)
  var format: MetricFormat?

  @OptionGroup var location: SysfsLocation
  @OptionGroup var daemon: DaemonOptions

  func validate() throws {
    if listen != nil, output != nil { throw ValidationError("--listen and --output exclude each other") }
    if listen != nil, format != nil {
      throw ValidationError("--listen and --format exclude each other: each client says what it understands")
    }
  }

  func run() throws {
    let source = MetricsSource(sysfs: location.sysfs, initiator: daemon.initiator)
    var result = CommandOutput()
    do {
      if let listen {
        try serve(source, at: listen)
      } else {
        let survey = try runBlocking { try await source.survey() }
        let form = format ?? (output == nil ? .openMetrics : .prometheus)
        let text = form.text(of: SessionMetrics.families(of: survey))
        if let output { try write(text, to: output) } else { result.text = text }
      }
    } catch let error as any DiagnosableError {
      result.fail(error)
    }
    try result.emit()
  }

  private func write(_ text: String, to path: FilePath) throws(MetricsFailure) {
    do throws(Errno) {
      // node_exporter runs as a user of its own.
      try AtomicFile.write(
        Array(text.utf8), to: path, permissions: [.ownerReadWrite, .groupRead, .otherRead])
    } catch {
      throw MetricsFailure(task: "writing \(path)", reason: error)
    }
  }

  private func serve(_ source: MetricsSource, at address: ListenAddress) throws {
    let server: HTTPServer
    do throws(Errno) {
      server =
        switch address {
        case .unix(let path): HTTPServer(try UnixListener(at: path), answer: source.answer)
        case .loopback(let address): HTTPServer(try LoopbackListener(at: address), answer: source.answer)
        }
    } catch {
      throw MetricsFailure(task: "listening at \(address)", reason: error)
    }
    // A signal is how this ends.
    runBlocking { await server.run() }
  }
}

/// Where metrics come from: each is as it is when it is asked for, and nothing is kept.
struct MetricsSource: Sendable {
  let sysfs: Sysfs
  let initiator: Initiator

  /// What there is now.
  func survey() async throws -> SessionSurvey { try await SessionSurvey.take(of: sysfs, asking: initiator) }

  /// The answer to a request.
  @Sendable func answer(_ request: HTTPRequest) async -> HTTPResponse {
    guard request.path == "/metrics" else { return HTTPResponse(.notFound, "the metrics are at /metrics") }
    do {
      let form = MetricFormat(accepted: request.accepted)
      return HTTPResponse(form.text(of: SessionMetrics.families(of: try await survey())), mediaType: form.mediaType)
    } catch {
      return HTTPResponse(.internalError, "\(error)".printable)
    }
  }
}

func parseMetricFormat(_ text: String) throws(ValidationError) -> MetricFormat {
  guard let format = MetricFormat(rawValue: text) else { throw ValidationError("neither openmetrics nor prometheus") }
  return format
}
