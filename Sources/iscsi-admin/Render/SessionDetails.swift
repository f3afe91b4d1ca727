// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// `session show -v` for people: what is the matter, what hangs and until when, and then the rest.
///
/// - Parameters:
///   - report: The session, which exists.
///   - session: What the kernel shows of it.
///   - disks: Its disks, by name.
///   - now: The time of day in seconds since 1970.
///   - terminal: Where the text goes to.
/// - Returns: The page.
func sessionDetails(
  _ report: SessionReport, _ session: SessionSnapshot, _ disks: [String: DiskContext], at now: Double,
  for terminal: Terminal
) -> String {
  var lines = pageTitle(session) + fields(statusFields(report, session, at: now, for: terminal))
  lines += fields([
    ("Cause", report.status.state.cause?.printable),
    ("Attempt", report.status.state.attemptText(at: now)),
    ("Error handling timers", errorHandlingText(report.status.state)),
    ("Supervised", report.status.isSupervised ? nil : "no: nobody is known to log it in again"),
  ])
  for item in report.status.devices {
    lines += diskLines(item, item.device.blockDevice.flatMap { disks[$0] }, at: now, for: terminal)
  }
  lines += section("Connection", fields(connectionFields(session, for: terminal) + identityFields(session), indent: 4))
  lines += section("Recovery", report.recovery.map(recoveryFields) ?? [])
  lines += section("Timeouts", timeoutFields(session, report.recovery))
  lines += section("Negotiated parameters", negotiatedFields(session.negotiated))
  lines += section("Statistics", counterLines(report.counters ?? []).map { "    " + $0 })
  return lines.joined(separator: "\n") + "\n"
}

/// The timers by which error handling goes on, of the devices that it may be about.
private func errorHandlingText(_ state: RecoveryState) -> String? {
  guard case .errorHandling(let devices, _) = state else { return nil }
  let timers = devices.compactMap { device in
    device.timeout.map { timeout in
      let own = device.errorHandlingTimeout.map { ", its own commands \($0) s" } ?? ""
      return "\(device.blockDevice ?? device.address): commands \(timeout) s\(own)"
    }
  }
  return timers.isEmpty ? nil : timers.joined(separator: "; ").printable
}

/// A device with its surroundings.
private func diskLines(
  _ item: SessionStatus.Device, _ disk: DiskContext?, at now: Double, for terminal: Terminal
) -> [String] {
  let device = item.device
  let (state, io) = (device.stateCell, item.io?.cell(at: now))
  let name = device.blockDevice ?? device.typeName ?? "device"
  let size = device.size.map { ", \(binarySize($0))" } ?? ""
  let seconds = { (value: UInt32?) in value.map { "\($0) s" } }
  return section(
    "LUN \(device.lun): \(name.printable)\(size)",
    fields(
      [
        ("State", terminal.coloured(state.text, state.mood)),
        ("I/O", io.map { terminal.coloured($0.text, $0.mood) }),
        ("Used as", disk?.useText?.printable),
        ("Path of multipath map", disk?.multipathMap?.description.printable),
        ("Held by", disk.flatMap { list($0.holders.map(\.description)) }),
        ("Lasting names", disk.flatMap { list($0.idLinks) }),
        ("", disk.flatMap { list($0.pathLinks) }),
        ("SCSI address", device.address),
        ("Model", device.modelText.isEmpty ? nil : device.modelText.printable),
        ("Command timeout", seconds(device.timeout)),
        ("Error handling timeout", seconds(device.errorHandlingTimeout)),
        ("Queue depth", device.queueDepth.map(String.init)),
        ("I/O scheduler", device.scheduler?.printable),
      ], indent: 4))
}

private func list(_ texts: [String]) -> String? {
  texts.isEmpty ? nil : texts.map(\.printable).joined(separator: ", ")
}
