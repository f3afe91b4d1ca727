// SPDX-License-Identifier: Apache-2.0
import IscsiKit

/// What the daemon knows of a session in JSON.
struct RecoveryJSON: Encodable {
  let phase: String
  let portal: PortalJSON?
  let recoveries: Int
  let network: String?
  let networkSinceUnixSeconds: Double?
  let silentSinceUnixSeconds: Double?
  let noopsIdle: Bool?
  let removingSinceUnixSeconds: Double?
  let outage: OutageJSON?
  let lastOutage: OutageJSON?
  let owner: OwnerJSON?
  let due: [WantedSettingJSON]

  init(_ recovery: InitiatorTypes.Recovery) {
    phase = recovery.phase
    portal = PortalJSON(recovery.portal)
    recoveries = recovery.recoveries
    network = recovery.network
    networkSinceUnixSeconds = recovery.networkSince
    silentSinceUnixSeconds = recovery.silentSince
    noopsIdle = recovery.noopsIdle
    removingSinceUnixSeconds = recovery.removingSince
    outage = recovery.outage.map(OutageJSON.init)
    lastOutage = recovery.lastOutage.map(OutageJSON.init)
    owner = recovery.owner.map(OwnerJSON.init)
    due = recovery.due.texts.map(WantedSettingJSON.init)
  }
}

/// An outage in JSON.
struct OutageJSON: Encodable {
  struct Attempt: Encodable {
    let number: Int
    let portal: PortalJSON?
    let cause: String
    let timeUnixSeconds: Double
  }

  let cause: String
  let kernelError: UInt32?
  let kernelErrorName: String?
  let network: String?
  let sinceUnixSeconds: Double
  let endUnixSeconds: Double?
  let attempts: Int
  let lastFailure: Attempt?
  let nextAttemptUnixSeconds: Double?
  let replacementTimeoutSeconds: Int32?
  let deadlineUnixSeconds: Double?

  init(_ outage: InitiatorTypes.Outage) {
    cause = outage.cause
    kernelError = outage.kernelError
    kernelErrorName = outage.kernelErrorName
    network = outage.network
    sinceUnixSeconds = outage.since
    endUnixSeconds = outage.end
    attempts = outage.attempts
    lastFailure = outage.lastFailure.map { failure in
      Attempt(
        number: failure.number, portal: PortalJSON(failure.portal), cause: failure.cause,
        timeUnixSeconds: failure.time)
    }
    nextAttemptUnixSeconds = outage.nextAttempt
    replacementTimeoutSeconds = outage.replacementTimeout
    deadlineUnixSeconds = outage.deadline
  }
}

/// Who asked for a session, in JSON.
struct OwnerJSON: Encodable {
  let userID: UInt32
  let processID: Int32?
  let label: String?
  let timeUnixSeconds: Double

  init(_ owner: SessionOwner) {
    userID = owner.userID
    processID = owner.processID
    label = owner.label
    timeUnixSeconds = owner.time
  }
}
