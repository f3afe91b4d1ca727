// SPDX-License-Identifier: Apache-2.0
internal import Glibc
public import SystemPackage

/// Why no DHCP server has given an address.
public enum DHCPError: DiagnosableError, Hashable {
  /// There is no client among those that are known.
  case noClient
  /// The client did not get an answer; the last thing that it said.
  case noAnswer(device: String, client: String, String)
  /// The client got an answer without an address that could be used.
  case unusable(device: String, client: String)
  /// The task was cancelled.
  case cancelled

  /// 1.
  public var exitStatus: ExitStatus { .failure }
  /// The reason in words.
  public var description: String {
    switch self {
    case .noClient:
      "there is no DHCP client: none of \(DHCPClient.programs.map(\.name).joined(separator: ", ")) is in "
        + DHCPClient.folders.joined(separator: ", ")
    case .noAnswer(let device, let client, let words):
      "no DHCP server has answered on \(device)" + (words.isEmpty ? "" : " (\(client): \(words))")
    case .unusable(let device, let client): "\(client) has got no usable address for \(device)"
    case .cancelled: "cancelled"
    }
  }
  /// What to do about it.
  public var advice: String? {
    switch self {
    case .noClient: "make one part of the initramfs, or give the address with ip="
    case .noAnswer: "see that the network leads to a DHCP server, or give the address with ip="
    case .unusable, .cancelled: nil
    }
  }
}

/// A DHCP client that an initramfs may have.
struct DHCPProgram: Sendable {
  /// What a client is called with.
  struct Call: Sendable {
    /// The network device.
    var device: String
    /// Whether IPv6 is asked for.
    var isIPv6: Bool
    /// Our own program, as the client's script.
    var script: String
    /// A folder for files that the client insists on.
    var folder: FilePath
  }

  /// Where a client tells of its answer.
  enum Telling: Sendable {
    /// Through its script, whose output is its own.
    case script
    /// By the server's own message, which it keeps in one of these places.
    case message(@Sendable (Call) -> [FilePath])
    /// In a file, in one of these places.
    case file(@Sendable (Call) -> [FilePath])
  }

  /// Its name.
  let name: String
  /// The name of the one for IPv6; nil if it does IPv4 only.
  let nameForIPv6: String?
  /// Its arguments.
  let arguments: @Sendable (Call) -> [String]
  /// Where its answer is.
  let telling: Telling
  /// Whether it goes on until it is told to end.
  var isEndless = false
  /// The folders that it does not make itself.
  var folders: @Sendable (Call) -> [FilePath] = { _ in [] }
}

/// Asks a DHCP server for an address, once, by the first client that there is. The client ends, and the address stays: a
/// client that goes on would be killed at the shutdown, and take the address from under the root file system.
public struct DHCPClient: Sendable {
  /// Where clients are looked for.
  static let folders = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"]

  /// The clients, in the order in which they are taken.
  static let programs: [DHCPProgram] = [
    DHCPProgram(
      name: "udhcpc", nameForIPv6: "udhcpc6",
      arguments: { call in
        // In the foreground; ends with the lease, or without one after so many attempts.
        let common = ["-f", "-q", "-n", "-t", "6", "-T", "3", "-i", call.device, "-s", call.script]
        return call.isIPv6 ? common : common + ["-O", "rootpath", "-O", "mtu"]
      }, telling: .script),
    DHCPProgram(
      name: "dhcpcd", nameForIPv6: nil,
      arguments: { call in
        ["-4", "--oneshot", "--persistent", "--nobackground", "--waitip=4", "--noipv4ll", "--nogateway"]
          + ["--nohook", "resolv.conf", "--option", "root_path", "--timeout", "20", call.device]
      },
      telling: .message { call in
        let names = ["dhcpcd/\(call.device)", "dhcpcd/dhcpcd-\(call.device)", "dhcpcd5/dhcpcd-\(call.device)"]
        return names.map { FilePath("/var/lib/\($0).lease") }
      },
      folders: { _ in ["/var/lib/dhcpcd", "/run/dhcpcd"] }),
    DHCPProgram(
      name: "dhclient", nameForIPv6: "dhclient",
      arguments: { call in
        [call.isIPv6 ? "-6" : "-4", "-1", "-d", "-sf", call.script, "-e", "\(DHCPScript.variable)=1"]
          + ["-cf", call.folder.appending("dhclient.conf").string]
          + ["-lf", call.folder.appending("dhclient.leases").string]
          + ["-pf", call.folder.appending("dhclient.pid").string, call.device]
      }, telling: .script, isEndless: true,
      folders: { [$0.folder] }),
    DHCPProgram(
      name: "ipconfig", nameForIPv6: nil,
      arguments: { ["-t", "20", "-c", "dhcp", "-d", $0.device] },
      telling: .file { call in
        ["/run", "/tmp"].map { FilePath($0).appending("net-\(call.device).conf") }
      }),
  ]

  /// What is in `dhclient.conf`, which has no option for it.
  private static let configuration =
    "request subnet-mask, routers, domain-name-servers, interface-mtu, root-path;\ntimeout 20;\n"

  /// A card waits for no other one: each is asked on for as long as a server may take.
  private static let pool = BlockingWork(limit: 64)

  private let folder: FilePath
  private let folders: [String]
  private let script: String

  /// A client.
  ///
  /// - Parameter folder: Where files can be written that it needs.
  public init(folder: FilePath = "/run/iscsi-admin") {
    // The program's file, whatever is where it was.
    self.init(folder: folder, folders: Self.folders, script: "/proc/\(getpid())/exe")
  }

  /// The same with clients from other places, and with another script.
  init(folder: FilePath, folders: [String], script: String) {
    self.folder = folder
    self.folders = folders
    self.script = script
  }

  /// Asks on a device that is switched on.
  ///
  /// - Parameters:
  ///   - device: Its name.
  ///   - isIPv6: Whether an IPv6 address is wanted.
  ///   - deadline: When to give up.
  /// - Returns: The answer. Some clients have given the device its address by then, some for the time of the lease only.
  /// - Throws: Why there is none.
  public func ask(
    on device: String, isIPv6: Bool = false, until deadline: ContinuousClock.Instant
  ) async throws(DHCPError) -> DHCPAnswer {
    guard let (program, path) = client(isIPv6: isIPv6) else { throw .noClient }
    let call = DHCPProgram.Call(device: device, isIPv6: isIPv6, script: script, folder: folder)
    let stop = ProgramStop()
    // A task of its own: one that is cancelled waits until the client has been killed, which goes on for ever otherwise.
    let work = Task { () -> Result<DHCPAnswer, DHCPError> in
      do throws(WaitError) {
        // The program itself is killed at the deadline.
        return try await Self.pool.run(until: nil) {
          do throws(DHCPError) {
            return .success(try Self.run(program, at: path, call, until: deadline, stop))
          } catch {
            return .failure(stop.isStopped ? .cancelled : error)
          }
        }
      } catch {
        return .failure(.cancelled)
      }
    }
    let result = await withTaskCancellationHandler {
      await work.value
    } onCancel: {
      stop.stop()
    }
    return try result.get()
  }

  /// The first client that is there, by its path.
  func client(isIPv6: Bool) -> (program: DHCPProgram, path: String)? {
    for program in Self.programs {
      guard let name = isIPv6 ? program.nameForIPv6 : program.name else { continue }
      if let path = folders.map({ "\($0)/\(name)" }).first(where: Program.isThere) { return (program, path) }
    }
    return nil
  }

  /// Runs a client until it has an answer; one that has given up is started again until the deadline.
  private static func run(
    _ program: DHCPProgram, at path: String, _ call: DHCPProgram.Call, until deadline: ContinuousClock.Instant,
    _ stop: ProgramStop
  ) throws(DHCPError) -> DHCPAnswer {
    for folder in program.folders(call) { try? AtomicFile.makeDirectory(folder) }
    if program.isEndless {
      try? AtomicFile.write(Array(configuration.utf8), to: call.folder.appending("dhclient.conf"))
    }
    var process = Program([path] + program.arguments(call))
    process.environment = ["\(DHCPScript.variable)=1"]
    process.outputLimit = 1 << 16
    if program.isEndless { process.lastOutput = DHCPScript.end }
    var words = "it did not end in time"
    while true {
      guard let outcome = try? process.run(until: deadline, stop) else { break }
      let text = String(decoding: outcome.output, as: UTF8.self)
      if let answer = answer(of: program, call, text, status: outcome.status) { return answer }
      if text.contains(DHCPScript.end) || outcome.status == 0 {
        throw .unusable(device: call.device, client: program.name)
      }
      words = text.split(separator: "\n").last.map(String.init) ?? "it ended with \(outcome.status)"
      // One that fails at once must not be started again at once.
      guard .now + .seconds(2) < deadline, !stop.wait(for: .seconds(1)) else { break }
    }
    throw .noAnswer(device: call.device, client: program.name, words)
  }

  private static func answer(
    of program: DHCPProgram, _ call: DHCPProgram.Call, _ text: String, status: Int32
  ) -> DHCPAnswer? {
    switch program.telling {
    case .script:
      return DHCPScript.answer(in: text).flatMap { DHCPAnswer(ShellAssignments(String($0))) }
    case .message(let places):
      // Of a call that has failed there is an older one at best.
      guard status == 0 else { return nil }
      return places(call).lazy.compactMap { try? FileContents(of: $0, limit: 1 << 16) }.first
        .flatMap { DHCPAnswer(message: $0.octets) }
    case .file(let places):
      for place in places(call) where status == 0 {
        guard let contents = try? FileContents(of: place, limit: ShellAssignments.sizeLimit) else { continue }
        return DHCPAnswer(ShellAssignments(String(decoding: contents.octets, as: UTF8.self)))
      }
      return nil
    }
  }
}
