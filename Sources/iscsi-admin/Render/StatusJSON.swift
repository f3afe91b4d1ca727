// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// What a session is going through, in JSON.
struct StatusJSON: Encodable {
  let recoveryState: String
  let sinceUnixSeconds: Double?
  let cause: String?
  let io: String?
  let deadlineUnixSeconds: Double?
  let waitsForever: Bool?
  let isSupervised: Bool
  let stoppedDevices: [String]?

  init(_ status: SessionStatus) {
    recoveryState = status.state.name
    sinceUnixSeconds = status.state.since
    cause = status.state.cause
    io = status.io?.name
    if case .waits(let deadline?)? = status.io {
      deadlineUnixSeconds = deadline.time
      waitsForever = deadline == .never
    } else {
      (deadlineUnixSeconds, waitsForever) = (nil, nil)
    }
    isSupervised = status.isSupervised
    if case .devicesStopped(let devices) = status.state {
      stoppedDevices = devices.map(\.address)
    } else {
      stoppedDevices = nil
    }
  }
}

/// A disk in its surroundings, in JSON.
struct DiskJSON: Encodable {
  struct Holder: Encodable {
    let name: String
    let mapping: String?

    init(_ step: DeviceUse.Step) {
      name = step.name
      mapping = step.mapping
    }
  }

  struct Use: Encodable {
    let mountPoint: String?
    let isSwap: Bool
    let through: [Holder]

    init(_ use: DeviceUse) {
      switch use.kind {
      case .mounted(let path): (mountPoint, isSwap) = (path, false)
      case .swap: (mountPoint, isSwap) = (nil, true)
      }
      through = use.steps.map(Holder.init)
    }
  }

  let idLinks: [String]
  let pathLinks: [String]
  let holders: [Holder]
  let multipathMap: Holder?
  let uses: [Use]

  init(_ disk: DiskContext) {
    idLinks = disk.idLinks
    pathLinks = disk.pathLinks
    holders = disk.holders.map(Holder.init)
    multipathMap = disk.multipathMap.map(Holder.init)
    uses = disk.uses.map(Use.init)
  }
}
