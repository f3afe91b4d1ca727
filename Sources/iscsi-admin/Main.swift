// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

@main
struct IscsiAdmin: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "iscsi-admin", subcommands: [ProbeCommand.self])
}
