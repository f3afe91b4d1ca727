// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import IscsiKit

/// `iscsi-admin boot show`.
struct BootShowCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show what firmware and parameters ask for, and what a boot would do.",
    discussion: """
      Changes nothing, but for the module iscsi_ibft, which it loads to look for firmware. Never shows a secret. Ends with \
      21 if nothing asks for a boot from iSCSI.
      """)

  @OptionGroup var source: BootSourceOptions
  @OptionGroup var report: ReportOptions

  var isJSON: Bool { report.json }
  var emptyDocument: BootPlanDocument { BootPlanDocument(nil) }

  func perform(for terminal: Terminal) throws -> CommandOutput {
    let sources = source.sources
    let input = sources.input()
    let plan = BootPlan(input)
    var output = CommandOutput()
    if plan.isEmpty { output.fail(NothingToBoot(plan)) }
    if !plan.isEmpty || !plan.isAskedFor { for problem in plan.problems { output.warn(problem.description) } }
    if report.json {
      try output.show(BootPlanDocument((input, plan)))
    } else if !report.quiet {
      output.text = bootPlanText(input, plan)
    }
    return output
  }
}

/// `iscsi-admin boot network`.
struct BootNetworkCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "network", abstract: "Set up the network that a boot from iSCSI needs, and no more.",
    discussion: """
      Devices get their addresses as ip= or the boot firmware says, or from a DHCP server by the client that is there: \
      udhcpc, dhcpcd, dhclient or klibc's ipconfig. The client is asked once and ends; the address stays. Each target gets \
      a route. Ends with 1 if a device could not be set up, and with 21 if nothing says how.
      """)

  @OptionGroup var network: BootNetworkOptions
  @OptionGroup var source: BootSourceOptions
  @OptionGroup var report: ReportOptions

  var isJSON: Bool { report.json }
  var emptyDocument: BootNetworkDocument { BootNetworkDocument(BootNetworkOutcome()) }

  func perform(for terminal: Terminal) throws -> CommandOutput {
    let input = source.sources.input()
    let plan = BootPlan(input)
    var output = CommandOutput()
    let (setup, dns) = (network.network, network.dns)
    if plan.links.isEmpty { output.fail(NothingToBoot(plan)) }
    if !plan.links.isEmpty || !plan.isAskedFor { for problem in plan.problems { output.warn(problem.description) } }
    let outcome = runBlocking { await BootNetworkRun.run(input, by: setup, writesNames: dns) }
    for warning in outcome.warnings { output.warn(warning) }
    for failure in outcome.failures { output.fail(failure) }
    if report.json {
      try output.show(BootNetworkDocument(outcome))
    } else if !report.quiet {
      output.text = outcome.reports.map { $0.line + "\n" }.joined()
    }
    return output
  }
}
