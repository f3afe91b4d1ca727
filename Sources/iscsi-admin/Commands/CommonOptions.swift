// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

/// How much a command that changes something says.
struct ReportOptions: ParsableArguments {
  @Flag(help: "Print JSON.")
  var json = false

  @Flag(name: .shortAndLong, help: "Print errors only.")
  var quiet = false

  func validate() throws {
    if json, quiet { throw ValidationError("--json and --quiet exclude each other") }
  }
}

/// What the connection goes out through.
struct InterfaceOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Connect through this network device.", valueName: "device"))
  var interfaceDevice: String?

  @Option(
    help: ArgumentHelp("Connect through the network device with this MAC address.", valueName: "mac"),
    transform: parseHardwareAddress)
  var interfaceMac: HardwareAddress?

  @Option(help: ArgumentHelp("Connect from this local address.", valueName: "ip"), transform: parseAddress)
  var interfaceAddress: IPAddress?

  func validate() throws {
    let given = [interfaceDevice != nil, interfaceMac != nil, interfaceAddress != nil].count { $0 }
    if given > 1 {
      throw ValidationError("--interface-device, --interface-mac and --interface-address exclude each other")
    }
  }

  /// The binding that the options name.
  var binding: InterfaceBinding {
    if let interfaceDevice { return .device(interfaceDevice) }
    if let interfaceMac { return .hardwareAddress(interfaceMac) }
    if let interfaceAddress { return .sourceAddress(interfaceAddress) }
    return .automatic
  }

  /// What sysfs shows as the interface's name; sessions of different names are different sessions.
  var name: String {
    interfaceDevice ?? interfaceMac?.description ?? interfaceAddress?.description ?? "default"
  }
}

/// How long a command may take.
struct TimeoutOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Give up after this many seconds.", valueName: "s"))
  var timeout: UInt32 = 30

  func validate() throws {
    guard timeout > 0 else { throw ValidationError("--timeout must be at least 1 second") }
  }

  /// The same as a duration.
  var duration: Duration { .seconds(timeout) }
}

/// Parses a portal given as an argument.
func parsePortal(_ text: String) throws(ValidationError) -> Portal {
  do { return try Portal(text) } catch { throw ValidationError("\(text.debugDescription) is no portal: \(error)") }
}

/// Parses a target name given as an argument.
func parseTargetName(_ text: String) throws(ValidationError) -> TargetName {
  do { return try TargetName(text) } catch { throw ValidationError("\(text.debugDescription) is refused: \(error)") }
}

private func parseHardwareAddress(_ text: String) throws(ValidationError) -> HardwareAddress {
  guard let address = HardwareAddress(text) else {
    throw ValidationError("\(text.debugDescription) is no MAC address (six hexadecimal octets with colons)")
  }
  return address
}

private func parseAddress(_ text: String) throws(ValidationError) -> IPAddress {
  guard let address = IPAddress(text) else { throw ValidationError("\(text.debugDescription) is no IP address") }
  return address
}
